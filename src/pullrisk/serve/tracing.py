"""Traces to an OpenTelemetry collector, over OTLP on HTTP.

Switched on by OpenTelemetry's own variables, OTEL_EXPORTER_OTLP_ENDPOINT or
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT; its other ones (sampler, headers, attributes) hold as well.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pullrisk.errors import needs_extra
from pullrisk.serve.inflight import ActiveRequest

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE: Final = "model-serving"


class Tracing:
    """One span for each request, with spans for its parts below it."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("pullrisk.serve")
        self._parent = TraceContextTextMapPropagator()

    def begin(self, request: ActiveRequest) -> None:
        """Open the request's span, below the caller's where the request names one."""
        from opentelemetry.context import attach
        from opentelemetry.trace import SpanKind, set_span_in_context

        names = ("traceparent", "tracestate")
        carried = {name: value for name in names if (value := request.header(name.encode()))}
        span = self._tracer.start_span(
            request.method,
            context=self._parent.extract(carried) if carried else None,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": request.method,
                "url.path": request.path,
                "pullrisk.request_id": request.id,
            },
        )
        request.span = span
        attach(set_span_in_context(span))  # for this request's own task

    def end(self, request: ActiveRequest, *, route: str) -> None:
        """Close it with what came of the request."""
        from opentelemetry.trace import StatusCode

        span: Span = request.span
        span.update_name(f"{request.method} {route}")
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", request.status)
        if request.status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A span of a part of the request that is under way."""
        with self._tracer.start_as_current_span(name):
            yield

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def ids(request: ActiveRequest) -> dict[str, str]:
    """The trace's and the span's id as logs carry them; empty without a trace."""
    if request.span is None:
        return {}
    context = request.span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def tracing(environment: Mapping[str, str]) -> Tracing | None:
    """Traces where a collector is named, else None; MissingExtraError without the extra `otel`."""
    if not any(environment.get(name) for name in _ENDPOINTS):
        return None
    with needs_extra("otel"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    name = environment.get("OTEL_SERVICE_NAME") or _SERVICE
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
