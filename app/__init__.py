import os

# ONNX Runtime tells its maker what it runs on which machine, and keeps an id for that in the user's
# home. It looks at this while it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
