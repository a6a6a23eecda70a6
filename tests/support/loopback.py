"""A server of our own on a free port of this machine, while a test runs."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Self

import uvicorn

from support.processes import PATIENCE

_OF_ONE_HOP: Final = ("transfer-encoding", "connection")


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class Loopback:
    """Answers with `handler` between `__enter__` and `__exit__`, a thread for each request."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """The address at which a thread serves an ASGI application, its idle connections too."""
    config = uvicorn.Config(
        application, port=0, log_level="critical", lifespan="off", timeout_keep_alive=int(PATIENCE)
    )
    server = uvicorn.Server(config)
    with config.bind_socket() as socket:
        socket.listen(1_024)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class Handler(BaseHTTPRequestHandler):
    """Reads a request's body, answers, and logs nothing."""

    _unread = 0

    def parse_request(self) -> bool:
        """Read its first line and headers."""
        well_formed = super().parse_request()
        self._unread = int(self.headers.get("Content-Length") or 0) if well_formed else 0
        return well_formed

    def body(self) -> bytes:
        """What came with the request; once."""
        size, self._unread = self._unread, 0
        return self.rfile.read(size)

    def answer(
        self, status: int, content: object = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer bytes as they are, anything else as JSON.

        What is left of the request is read first: a connection that is closed with something
        unread in it is reset, and the answer lost.
        """
        self.body()
        kind = {} if isinstance(content, bytes) else {"Content-Type": "application/json"}
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class Forwarding(Handler):
    """A proxy before the HTTP server at `target` (host and port); `forward` answers a request."""

    target: ClassVar[str]

    def forward(self) -> None:
        """Answer the request, with what `ask` returns and `begin` hands on."""
        raise NotImplementedError

    def ask(self, *, without: Iterable[str] = ()) -> tuple[HTTPResponse, bytes]:
        """The server's answer to the request, without headers of these names, and its body."""
        headers = {name: text for name, text in self.headers.items() if name.lower() not in without}
        connection = HTTPConnection(self.target)
        connection.request(self.command, self.path, self.body(), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def begin(self, answer: HTTPResponse, *, without: Iterable[str] = ()) -> None:
        """Hand on status and headers, without those of one hop and of these names."""
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in (*_OF_ONE_HOP, *without):
                self.send_header(name, value)

    def do_GET(self) -> None:
        self.forward()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET
