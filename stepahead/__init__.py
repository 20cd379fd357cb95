"""The Python client of a Stepahead service; it needs neither TensorFlow nor a database.

import stepahead

client = stepahead.Client("http://127.0.0.1:8000")
client.forecast(frame, model="weather", horizon=14, levels=[80])
"""

from stepahead.client import Client
from stepahead.errors import (
    ForecastFailed,
    ForecastWarning,
    JobFailed,
    NotReachable,
    Refused,
    StepaheadError,
)
from stepahead.job import Job

__all__ = [
    "Client",
    "ForecastFailed",
    "ForecastWarning",
    "Job",
    "JobFailed",
    "NotReachable",
    "Refused",
    "StepaheadError",
]
