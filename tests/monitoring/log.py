"""Send requests over HTTP, and read the log as the worker does."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import sessionmaker

from app.monitoring.log_reader import LogReader
from app.storage.resources import Resources
from tests.service import Service


def resources_of(service: Service) -> Resources:
    """Return the resources that a worker would have."""
    return Resources(
        settings=service.settings,
        database_url=service.database_url,
        engine=service.engine,
        sessions=sessionmaker(service.engine, expire_on_commit=False),
        store=service.store,
    )


def follow(service: Service, reader: LogReader | None = None) -> None:
    """Read and settle everything, as a worker does."""
    reader = reader or LogReader(resources_of(service))
    while reader.read_and_settle():
        pass


def days(count: int, *, first: date = date(2017, 1, 2)) -> list[str]:
    """Return business days in ISO form."""
    found: list[str] = []
    day = first
    while len(found) < count:
        if day.weekday() < 5:
            found.append(day.isoformat())
        day += timedelta(days=1)
    return found


def ask(
    service: Service, values: Sequence[float], *, model: str = "google-stock", **more: object
) -> dict[str, Any]:
    """Request a prediction after these values, on business days from 2 January 2017."""
    answer = service.predict(
        model=model, history=list(values), timestamps=days(len(values)), **more
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def monitor(
    service: Service, model: str = "google-stock", **parameters: str | int
) -> dict[str, Any]:
    answer = service.client.get(f"/models/{model}/monitor", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
