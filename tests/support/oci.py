"""OCI registries for tests: Debian's docker-registry, and a small conformant one with referrers."""

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from support.loopback import Handler, Loopback
from support.ports import free_port
from support.processes import OF_GO, Server

PROGRAM: Final = "docker-registry"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class DebianRegistry(Server):
    """The reference implementation, version 2.8: no referrers API."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @staticmethod
    def installed() -> bool:
        return shutil.which(PROGRAM) is not None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str | Path]:
        settings = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        path = self.folder / "config.yml"
        path.write_text(json.dumps(settings))
        return [PROGRAM, "serve", path]

    def environment(self) -> dict[str, str]:
        return os.environ | OF_GO

    def is_ready(self) -> bool:
        return httpx.get(f"{self.url}/v2/", timeout=2).status_code in {200, 401}


class SmallRegistry(Loopback):
    """Blobs, manifests, tags, deletion and referrers in memory, after the OCI distribution spec."""

    def __init__(self, *, referrers_api: bool = True) -> None:
        self.referrers_api = referrers_api
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        """(repository, digest) → media type and bytes."""
        self.tags: dict[tuple[str, str], str] = {}
        self.token: str | None = None
        """The Bearer token that it asks for, as DigitalOcean's does."""
        self.login = ("", "")
        registry = self

        class RegistryHandler(_Handler):
            state = registry

        super().__init__(RegistryHandler)

    def find(self, repository: str, reference: str) -> tuple[str, bytes] | None:
        digest = self.tags.get((repository, reference), reference)
        return self.manifests.get((repository, digest))

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]]:
        listed = []
        for (home, own), (kind, data) in list(self.manifests.items()):
            body = json.loads(data)
            if home == repository and (body.get("subject") or {}).get("digest") == digest:
                listed.append(
                    {
                        "mediaType": kind,
                        "digest": own,
                        "size": len(data),
                        "artifactType": body.get("artifactType"),
                    }
                )
        return listed


class _Handler(Handler):
    state: SmallRegistry
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Callable[[], None]:
        """One method for every verb."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def _handle(self) -> None:
        body = self.body()
        path, _, query = self.path.partition("?")
        if path == "/token":
            return self._grant()
        if self.state.token and self.headers.get("Authorization") != f"Bearer {self.state.token}":
            challenge = f'Bearer realm="{self.state.url}/token",service="small",scope="all"'
            return self.answer(401, headers={"WWW-Authenticate": challenge})
        if path == "/v2/":
            return self.answer(200)
        match = re.fullmatch(r"/v2/(.+)/(blobs|manifests|referrers)/(.*)", path)
        if match is None:
            return self.answer(404)
        home, kind, rest = match.groups()
        return {"blobs": self._blob, "manifests": self._manifest, "referrers": self._referrers}[
            kind
        ](home, rest, query, body)

    def _grant(self) -> None:
        expected = base64.b64encode(":".join(self.state.login).encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            return self.answer(401)
        return self.answer(200, json.dumps({"token": self.state.token}).encode())

    def _blob(self, home: str, rest: str, query: str, body: bytes) -> None:
        if self.command == "POST":
            where = f"/v2/{home}/blobs/uploads/{uuid4()}?state=one"
            return self.answer(202, headers={"Location": where})
        if self.command == "PUT":
            digest = re.search(r"digest=([^&]+)", query)
            named = digest[1].replace("%3A", ":") if digest else ""
            if named != digest_of(body):
                return self.answer(400)
            self.state.blobs[named] = body
            return self.answer(201, headers={"Docker-Content-Digest": named})
        if self.command == "DELETE":
            return self.answer(202 if self.state.blobs.pop(rest, None) else 404)
        data = self.state.blobs.get(rest)
        return self.answer(404) if data is None else self.answer(200, data)

    def _manifest(self, home: str, rest: str, query: str, body: bytes) -> None:
        if self.command == "PUT":
            return self._store(home, rest, body)
        if self.command == "DELETE":
            gone = self.state.manifests.pop((home, rest), None)
            return self.answer(202 if gone else 404)
        manifest = self.state.find(home, rest)
        if manifest is None:
            return self.answer(404)
        return self.answer(200, manifest[1], headers={"Content-Type": manifest[0]})

    def _store(self, home: str, reference: str, body: bytes) -> None:
        manifest, digest = json.loads(body), digest_of(body)
        needed = [each["digest"] for each in manifest.get("layers", [])]
        needed += [manifest["config"]["digest"]] if "config" in manifest else []
        if any(each not in self.state.blobs for each in needed):
            return self.answer(400)
        if reference.startswith("sha256:") and reference != digest:
            return self.answer(400)
        kind = self.headers.get("Content-Type", MANIFEST)
        self.state.manifests[(home, digest)] = (kind, body)
        if not reference.startswith("sha256:"):
            self.state.tags[(home, reference)] = digest
        return self.answer(201, headers={"Docker-Content-Digest": digest})

    def _referrers(self, home: str, rest: str, query: str, body: bytes) -> None:
        if not self.state.referrers_api:
            return self.answer(404)
        listed = self.state.referrers(home, rest)
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        return self.answer(200, json.dumps(index).encode(), headers={"Content-Type": INDEX})
