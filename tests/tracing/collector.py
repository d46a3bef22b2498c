"""A collector of traces on this machine, which takes OTLP over HTTP and keeps it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Collected:
    """A span as it came.

    Attributes:
        process: What the process that had it said of itself.
    """

    name: str
    trace: str
    id: str
    parent: str
    process: dict[str, str]


class Collector:
    """What has come so far, and where to send it."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.url = ""

    def take(self, body: bytes) -> None:
        request: Any = ExportTraceServiceRequest.FromString(body)
        for of_process in request.resource_spans:
            process = {x.key: x.value.string_value for x in of_process.resource.attributes}
            for scope in of_process.scope_spans:
                self.spans += [
                    Collected(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        process,
                    )
                    for span in scope.spans
                ]


@contextmanager
def a_collector() -> Iterator[Collector]:
    """Run one for a while."""
    collector = Collector()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_packed = self.headers.get("Content-Encoding") == "gzip"
            collector.take(gzip.decompress(body) if is_packed else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
