"""Trace with OpenTelemetry if its standard variables name an exporter; otherwise do nothing.

The SDK reads its own variables: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER
and others. Without them, none of it is imported.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

EXPORTER_VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)
# W3C Trace Context: version, trace, parent span, flags. All zeros are invalid.
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
SERVER_ERROR = 500


class TracingUnavailable(RuntimeError):
    """Traces are requested, but the packages for them are not installed."""


class Tracing:
    """Creates spans and passes them to the exporter that the environment names.

    Args:
        tracer: of OpenTelemetry.
    """

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer

    def begin_request(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> "Span":
        """Begin the span of a request, as part of the caller's trace if its headers name one."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers.items()
            if name in {b"traceparent", b"tracestate", b"baggage"}
        }
        return self._tracer.start_span(
            f"{method} {path}",
            context=extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": path},
        )

    @staticmethod
    def end_request(span: "Span", template: str, status: int) -> None:
        """End a request's span.

        Args:
            span: of `begin_request`.
            template: the route, as in /models/{name}.
            status: of the answer.
        """
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("http.route", template)
        span.set_attribute("http.response.status_code", status)
        if status >= SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    @contextmanager
    def span(self, name: str, **attributes: str | float) -> Iterator[None]:
        """Run a block inside a span."""
        with self._tracer.start_as_current_span(name, attributes=attributes):
            yield


def tracing_of(role: str) -> Tracing | None:
    """Return a `Tracing`, or None if no exporter is named.

    Args:
        role: "api" or "worker"; names the service unless OTEL_SERVICE_NAME does.

    Raises:
        TracingUnavailable: the extra `otel` is not installed.
    """
    wanted = any(os.environ.get(name) for name in EXPORTER_VARIABLES)
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracingUnavailable(
            "OTEL_… variables request traces, which need the extra `otel`: "
            "pip install 'stepahead[otel]'"
        ) from error
    names = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"stepahead-{role}"}
    provider = TracerProvider(resource=Resource.create(names))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("stepahead"))


def trace_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the trace id of a `traceparent` header for logs, or None if it is invalid."""
    given = headers.get(b"traceparent")
    if given is None:
        return None
    found = TRACEPARENT.fullmatch(given.decode("latin-1"))
    return None if found is None else found["trace"]
