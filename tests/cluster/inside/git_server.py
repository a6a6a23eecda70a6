"""A Git server over HTTP with one branch that is put into it as a pack; fetching only.

It runs in a pod of the image model-serving, which has Python and no Git. It speaks version 0 of
the smart protocol with no capability but the branch's name: a client always gets the whole pack.

    PUT /repository?commit=SHA    the pack of everything that the commit reaches
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BRANCH = "refs/heads/staging"
PORT = 8080


def line(text: str) -> bytes:
    """A pkt-line: its length in four hexadecimal digits, then the text."""
    return f"{len(text) + 4:04x}{text}".encode()


def advertised(commit: str) -> bytes:
    """The references, as `git fetch` and Argo CD ask for them."""
    # a client that resolved the branch a moment ago may ask for the commit before
    known = f"symref=HEAD:{BRANCH} allow-reachable-sha1-in-want agent=pullrisk-cluster"
    first = f"{commit} HEAD\0{known}\n"
    service = line("# service=git-upload-pack\n") + b"0000"
    return service + line(first) + line(f"{commit} {BRANCH}\n") + b"0000"


class Server(ThreadingHTTPServer):
    """Holds the commit and its pack in memory."""

    commit, pack = "", b""


class Handler(BaseHTTPRequestHandler):
    """Three requests: put, references, pack."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_PUT(self) -> None:
        (commit,) = parse_qs(urlsplit(self.path).query)["commit"]
        pack = self._body()
        self.server.commit, self.server.pack = commit, pack
        self._answer(200, "text/plain", b"ok\n")

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/healthz":
            self._answer(200, "text/plain", b"ok\n")
        elif self.path.endswith("/info/refs?service=git-upload-pack") and self.server.commit:
            kind = "application/x-git-upload-pack-advertisement"
            self._answer(200, kind, advertised(self.server.commit))
        else:
            self._answer(404, "text/plain", b"there is nothing here\n")

    def do_POST(self) -> None:
        body = self._body()
        if not self.path.endswith("/git-upload-pack"):
            return self._answer(404, "text/plain", b"there is nothing here\n")
        # A client that says what it has before it is done is told that nothing is in common.
        pack = self.server.pack if b"0009done" in body else b""
        return self._answer(200, "application/x-git-upload-pack-result", line("NAK\n") + pack)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            found = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            return gzip.decompress(found)
        return found

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve for ever."""
    address = ("0.0.0.0", int(sys.argv[1]) if len(sys.argv) > 1 else PORT)
    Server(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
