import os

# ONNX Runtime reports to its vendor which machine it runs on, and keeps an id for that in the
# user's home. It reads this variable when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
