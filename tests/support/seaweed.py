"""A SeaweedFS server, real S3, for tests; it can be stopped and started on what it had."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sysconfig import get_path

from pydantic import SecretStr

from pullrisk.lake.s3 import open_bucket
from pullrisk.options import S3
from support.loopback import Forwarding, Loopback
from support.ports import answers, free_port
from support.processes import Server

BUCKET = "lake"
ACCESS_KEY, SECRET_KEY = "pullrisk", "pullrisk-secret"
_IDENTITY = {
    "name": "tests",
    "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}
_PARTS = ("s3", "filer", "master", "volume", "admin")


class Seaweed(Server):
    """One server with the bucket `lake`; without `identities` it takes any credentials."""

    def __init__(self, folder: Path, *, identities: bool = True) -> None:
        super().__init__(folder)
        self._ports = {part: free_port() for part in _PARTS}
        self._ports |= {f"{part}.port.grpc": free_port() for part in _PARTS}
        (folder / "data").mkdir()
        if identities:
            (folder / "s3.json").write_text(json.dumps({"identities": [_IDENTITY]}))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def s3(self) -> S3:
        return settings(self.endpoint)

    def is_ready(self) -> bool:
        """Whether the bucket can be used."""
        return answers(self._ports["s3"]) and self._has_bucket()

    def _has_bucket(self) -> bool:
        from pyarrow.fs import FileType

        filesystem = open_bucket(self.s3, attempts=1)
        with filesystem.open_output_stream(f"{BUCKET}/started") as stream:
            stream.write(b"yes")
        filesystem.delete_file(f"{BUCKET}/started")
        return bool(filesystem.get_file_info(BUCKET).type == FileType.Directory)

    def command(self) -> list[str]:
        options = {
            "dir": self.folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": BUCKET,
            "master.telemetry": "false",
            "webdav": "false",
            "admin.ui": "false",
            "s3.autoCreateBucket": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        identities = self.folder / "s3.json"
        if identities.exists():
            options["s3.config"] = identities
        for part, port in self._ports.items():
            options[part if part.endswith(".grpc") else f"{part}.port"] = port
        weed = Path(get_path("scripts"), "weed")
        return [str(weed), "mini", *(f"-{name}={value}" for name, value in options.items())]


def settings(endpoint: str) -> S3:
    """Settings with the keys of the tests."""
    return S3(endpoint=endpoint, access_key=SecretStr(ACCESS_KEY), secret_key=SecretStr(SECRET_KEY))


@contextmanager
def without_conditional_put(endpoint: str) -> Iterator[str]:
    """The endpoint of a proxy that drops If-None-Match, as a service that ignores it."""

    class Proxy(Forwarding):
        target = endpoint.removeprefix("http://")

        def forward(self) -> None:
            answer, content = self.ask(without=("if-none-match",))
            self.begin(answer)
            self.end_headers()
            self.wfile.write(content)

    with Loopback(Proxy) as server:
        yield server.url
