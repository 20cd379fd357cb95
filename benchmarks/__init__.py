import app  # noqa: F401 - before ONNX Runtime is imported: see there
