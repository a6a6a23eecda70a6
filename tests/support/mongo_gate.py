"""A gate before a MongoDB server that has neither passwords nor TLS: it asks for both.

It answers SCRAM-SHA-256 (RFC 7677) itself, as MongoDB does, refuses every command of a
connection that has not passed it (code 13), and hands all others on unread.
"""

import hmac
import os
import socketserver
import ssl
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import pbkdf2_hmac, sha256
from socket import create_connection, socket
from threading import Thread
from typing import Any

import bson

from support.certificates import Certificates

OP_MSG = 2013
ROUNDS = 4_096
REFUSED = {"ok": 0.0, "code": 18, "errmsg": "Authentication failed."}
UNKNOWN = {"ok": 0.0, "code": 13, "errmsg": "the command requires authentication"}


@contextmanager
def gate(
    upstream: int,
    *,
    user: str,
    password: str | Sequence[str],
    certificates: Certificates | None = None,
) -> Iterator[int]:
    """The port of a gate before the server at port `upstream`; with TLS given certificates.

    Of several passwords each will do, and a list may be changed while the gate is open.
    """
    context = None
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                client = context.wrap_socket(self.request, True) if context else self.request
                with client, create_connection(("127.0.0.1", upstream)) as server:
                    serve(client, server, Scram(user, password))
            except OSError:
                pass  # the client hung up, or does not trust the certificate

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Listener(("127.0.0.1", 0), Connection) as listener:
        Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


def serve(client: socket, server: socket, scram: "Scram") -> None:
    while message := read(client):
        _, number, _, opcode = struct.unpack_from("<iiii", message)
        answer = scram.answer(command_of(message)) if opcode == OP_MSG else None
        if answer is None:
            server.sendall(message)
            client.sendall(read(server))
        else:
            body = struct.pack("<iB", 0, 0) + bson.encode(answer)
            client.sendall(struct.pack("<iiii", 16 + len(body), 0, number, OP_MSG) + body)


def command_of(message: bytes) -> dict[str, Any]:
    """The command of an OP_MSG, which the driver puts before its documents."""
    size = struct.unpack_from("<i", message, 21)[0]
    return bson.decode(message[21 : 21 + size])


def read(end: socket) -> bytes:
    """One whole message; empty at the end of the connection."""
    message = b""
    while len(message) < 4 or len(message) < struct.unpack_from("<i", message)[0]:
        size = struct.unpack_from("<i", message)[0] if len(message) >= 4 else 4
        part = end.recv(size - len(message))
        if not part:
            return b""
        message += part
    return message


class Scram:
    """The server's side of one authentication."""

    def __init__(self, user: str, password: str | Sequence[str]) -> None:
        self._user = user
        self._passwords = [password] if isinstance(password, str) else list(password)
        self._salt, self._nonce = os.urandom(16), b64encode(os.urandom(12)).decode()
        self._talk: list[str] = []
        self.passed = False

    def answer(self, command: dict[str, Any]) -> dict[str, Any] | None:
        """What to answer a command; None where the server behind may."""
        if "saslStart" in command:
            return self._challenge(command["payload"].decode())
        if "saslContinue" in command:
            return self._proof(command["payload"].decode())
        name = next(iter(command), "")
        return None if self.passed or name in ("hello", "ismaster", "isMaster") else UNKNOWN

    def _challenge(self, first: str) -> dict[str, Any]:
        bare = first.removeprefix("n,,")
        fields = dict(part.split("=", 1) for part in bare.split(","))
        if fields["n"] != self._user:
            return REFUSED
        salt = b64encode(self._salt).decode()
        challenge = f"r={fields['r']}{self._nonce},s={salt},i={ROUNDS}"
        self._talk = [bare, challenge]
        return payload(challenge, done=False)

    def _proof(self, last: str) -> dict[str, Any]:
        bare, proof = last.rsplit(",p=", 1)
        talk = ",".join([*self._talk, bare]).encode()
        for password in self._passwords:
            salted = pbkdf2_hmac("sha256", password.encode(), self._salt, ROUNDS)
            key = digest(salted, b"Client Key")
            signature = digest(sha256(key).digest(), talk)
            if bytes(a ^ b for a, b in zip(key, signature, strict=True)) == b64decode(proof):
                self.passed = True
                own = b64encode(digest(digest(salted, b"Server Key"), talk)).decode()
                return payload(f"v={own}", done=True)
        return REFUSED


def payload(text: str, *, done: bool) -> dict[str, Any]:
    return {"ok": 1.0, "conversationId": 1, "done": done, "payload": text.encode()}


def digest(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha256").digest()
