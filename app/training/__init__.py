"""The only home of TensorFlow: recipe → network → fit → judge → export.

Imported by the worker's child process alone (`app.training.child`) and by the scripts that make
and measure models. The environment is set here because TensorFlow reads it while it is imported.
"""

import os
import time

IMPORT_STARTED = time.monotonic()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's kernels give other last digits on other machines; compiled programs do not use them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# What a user has set for Keras, in the environment or in keras.json, is for other work: with a
# backend that is not here no trainer starts.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # nothing to read there, and nothing is written
