"""The only package that uses TensorFlow: recipe → network → fit → judge → export.

It is only imported by the worker's child process (`app.training.child`) and by scripts that create
and measure models. The environment is set here because TensorFlow reads it on import.
"""

import os
import time

IMPORT_STARTED = time.monotonic()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's kernels give different last digits on different machines; compiled programs do not use
# them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# A user's settings for Keras, in the environment or in keras.json, are for other work: with a
# missing backend, no trainer would start.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # there is nothing to read there, and nothing is written
