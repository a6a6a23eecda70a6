"""A server of our own on a free port of this machine, while a test runs."""

import threading
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final, Self

_OF_ONE_HOP: Final = ("transfer-encoding", "connection")


class Loopback:
    """Answers with `handler` between `__enter__` and `__exit__`, a thread for each request."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
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


class Forwarding(BaseHTTPRequestHandler):
    """A proxy before the HTTP server at `target` (host and port); `forward` answers a request."""

    target: ClassVar[str]

    def forward(self) -> None:
        """Answer the request, with what `ask` returns and `begin` hands on."""
        raise NotImplementedError

    def ask(self, *, without: Iterable[str] = ()) -> tuple[HTTPResponse, bytes]:
        """The server's answer to the request, without headers of these names, and its body."""
        length = int(self.headers.get("Content-Length") or 0)
        kept = {name: text for name, text in self.headers.items() if name.lower() not in without}
        connection = HTTPConnection(self.target)
        connection.request(self.command, self.path, self.rfile.read(length), kept)
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

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be quiet."""
