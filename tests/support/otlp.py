"""A collector of traces: OTLP over HTTP, as OpenTelemetry's own speaks it."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from support.loopback import Handler, Loopback


class Collector:
    """What was received so far."""

    def __init__(self) -> None:
        self.port = 0
        self.spans: list[Any] = []
        self.services: set[str] = set()

    def take(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {each.key: each.value.string_value for each in group.resource.attributes}
            self.services.add(attributes["service.name"])
            for scope in group.scope_spans:
                self.spans += scope.spans

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def collector() -> Iterator[Collector]:
    """A running one, at /v1/traces of its port."""
    received = Collector()

    class Receiver(Handler):
        def do_POST(self) -> None:
            body = self.body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            known = self.path == "/v1/traces"
            if known:
                received.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            kind = {"Content-Type": "application/x-protobuf"}
            self.answer(200 if known else 404, answer, kind)

    with Loopback(Receiver) as server:
        received.port = server.port
        yield received
