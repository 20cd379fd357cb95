"""The object store: files under their sha256, in a folder or in S3, GCS or Azure."""
