from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.main import Api
from app.process.tracing import Tracing, TracingUnavailable, trace_of, tracing_of
from tests.artifacts import persistence_artifact
from tests.service import Service, eventually, running_service

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
ASK = {"model": "prices", "history": [1.0, 2.0, 3.0]}


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def service(fresh_database: str, tmp_path: Path, spans: InMemorySpanExporter) -> Iterator[Service]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with running_service(fresh_database, tmp_path) as running:
        running.register("prices", persistence_artifact())
        assert isinstance(running.app, Api)
        running.app.gateway._tracing = Tracing(provider.get_tracer("test"))
        yield running


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/predict", "/predict"),
        ("GET", "/models/prices", "/models/{name}"),
        ("GET", "/models/missing", "/models/{name}"),
    ],
)
def test_a_request_is_a_span_of_its_callers_trace(
    service: Service, spans: InMemorySpanExporter, method: str, path: str, route: str
) -> None:
    body = ASK if method == "POST" else None
    status = service.client.request(method, path, json=body, headers=TRACEPARENT).status_code
    eventually(spans.get_finished_spans)
    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.name == f"{method} {path}"
    assert dict(span.attributes or {}) == {
        "http.request.method": method,
        "url.path": path,
        "http.route": route,
        "http.response.status_code": status,
    }


def test_without_the_variables_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    assert tracing_of("api") is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tracing_of("api") is None


def test_without_the_extra_the_message_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingUnavailable, match="stepahead\\[otel\\]"):
        tracing_of("api")


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        ("nonsense", None),
        (f"00-{TRACE}", None),
    ],
)
def test_the_log_names_the_trace_of_a_good_header(header: str, trace: str | None) -> None:
    assert trace_of({b"traceparent": header.encode()}) == trace
    assert trace_of({}) is None
