"""The Python client of a Stepahead service; it needs neither TensorFlow nor a database.

import stepahead

client = stepahead.Client("http://127.0.0.1:8000")
client.forecast(frame, model="weather", horizon=14, levels=[80])

`stepahead.batch` forecasts without a service. The nodes of an engine import it without what only
the client needs, so the client is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = {"Client": "client", "Job": "job"}.get(name, "errors")
    return getattr(import_module(f"stepahead.{module}"), name)
