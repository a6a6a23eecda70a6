"""A small client of the OCI distribution API: manifests, blobs, referrers; every byte checked."""

import hashlib
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from delivery.credentials import RegistryAuth, docker_login
from delivery.errors import AwayError, InputError, RefusedError
from delivery.stages import REGISTRY

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
_DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
_ACCEPT: Final = ", ".join((MANIFEST, DOCKER_MANIFEST, INDEX, _DOCKER_LIST))
EMPTY: Final = b"{}"
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_LARGEST: Final = 16 * 2**20
"""Most bytes of an attestation."""


def sha256(data: bytes) -> str:
    """The digest of bytes, as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Manifest:
    """A manifest as it came, its digest computed here."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """Computed from the bytes, whatever the registry says."""
        return sha256(self.data)

    @property
    def body(self) -> dict[str, Any]:
        """The parsed JSON. Raises InputError if it is not an object."""
        try:
            found = json.loads(self.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{self.digest[:19]} is not a manifest")
        return found

    @property
    def is_image(self) -> bool:
        """One image with its layers, not an index of several."""
        declared = self.body.get("mediaType", self.media_type)
        return declared == self.media_type and self.media_type in {MANIFEST, DOCKER_MANIFEST}

    def blobs(self) -> list[str]:
        """Digests of the configuration and the layers. Raises InputError if they are missing."""
        body = self.body
        try:
            return [str(each["digest"]) for each in (body["config"], *body["layers"])]
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{self.digest[:19]} is not the manifest of an image: {error}"
            ) from None


class Registry:
    """One repository of a registry."""

    def __init__(self, repository: str, *, base: str = REGISTRY) -> None:
        self.repository, self._base = repository, base.rstrip("/")
        host = urlsplit(base).netloc
        self._client = httpx.Client(
            auth=RegistryAuth(docker_login(host)),
            timeout=httpx.Timeout(60, write=600),
            transport=httpx.HTTPTransport(verify=_tls(), retries=2),
            follow_redirects=True,
        )

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def manifest(self, reference: str) -> Manifest | None:
        """Get it by tag or digest; None if there is none. Raises RefusedError for other bytes."""
        answer = self._ask("GET", f"manifests/{reference}", headers={"Accept": _ACCEPT})
        if answer is None:
            return None
        media_type = answer.headers.get("Content-Type", "").split(";")[0]
        found = Manifest(media_type, answer.content)
        self._same(reference, found.digest)
        return found

    def has_blob(self, digest: str) -> bool:
        """Whether the registry still holds it."""
        return self._ask("HEAD", f"blobs/{digest}") is not None

    def blob(self, digest: str) -> bytes:
        """Get a small blob and check its digest. Raises InputError if it is missing or large."""
        answer = self._ask("GET", f"blobs/{digest}")
        if answer is None or len(answer.content) > _LARGEST:
            raise InputError(f"{self.repository} has no blob {digest[:19]} of a sensible size")
        self._same(digest, sha256(answer.content))
        return answer.content

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """Descriptors of what was attached to a manifest; by API, else by the fallback tag."""
        answer = self._ask("GET", f"referrers/{digest}", headers={"Accept": INDEX})
        if answer is not None:
            return _descriptors(Manifest(INDEX, answer.content))
        found = self.manifest(digest.replace(":", "-"))
        return _descriptors(found) if found else []

    def put_blob(self, digest: str, data: bytes | Iterator[bytes], size: int) -> None:
        """Upload it in one piece, unless it is there."""
        if self.has_blob(digest):
            return
        begun = self._sent("POST", "blobs/uploads/", httpx.codes.ACCEPTED)
        target = httpx.URL(urljoin(str(begun.url), begun.headers["Location"]))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        where = str(target.copy_merge_params({"digest": digest}))
        self._sent("PUT", where, httpx.codes.CREATED, headers=headers, content=data)

    def put_manifest(self, reference: str, manifest: Manifest) -> None:
        """Store the manifest's bytes under a tag or its digest."""
        headers = {"Content-Type": manifest.media_type}
        where = f"manifests/{reference}"
        self._sent("PUT", where, httpx.codes.CREATED, headers=headers, content=manifest.data)

    def attach(self, subject: str, artifact_type: str, data: bytes) -> str:
        """Attach bytes to a manifest, as attestations are; the digest of what was attached."""
        held = self.manifest(subject)
        if held is None:
            raise InputError(f"{self.repository} has no {subject}", hint="push the image first")
        for each in (EMPTY, data):
            self.put_blob(sha256(each), each, len(each))
        made = _artifact(held, artifact_type, data)
        self.put_manifest(made.digest, made)
        if self._ask("GET", f"referrers/{subject}", headers={"Accept": INDEX}) is None:
            self._list_under_tag(subject, artifact_type, made)
        return made.digest

    def _list_under_tag(self, subject: str, artifact_type: str, made: Manifest) -> None:
        """For registries without the referrers API: an index under a tag named by the digest."""
        listed = [each for each in self.referrers(subject) if each.get("digest") != made.digest]
        listed.append(_described(made) | {"artifactType": artifact_type})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        tag = subject.replace(":", "-")
        self.put_manifest(tag, Manifest(INDEX, json.dumps(index).encode()))

    def _same(self, reference: str, digest: str) -> None:
        if reference.startswith("sha256:") and reference != digest:
            raise RefusedError(
                f"the registry gave other bytes for {reference[:19]} of {self.repository}",
                hint="do not trust this registry until somebody knows why",
            )

    def _ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        """The answer, None for 404."""
        answer = self._request(method, path, headers=headers or {})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._good(answer, httpx.codes.OK)

    def _sent(self, method: str, path: str, wanted: int, **more: Any) -> httpx.Response:  # noqa: ANN401
        return self._good(self._request(method, path, **more), wanted)

    def _good(self, answer: httpx.Response, wanted: int) -> httpx.Response:
        if answer.status_code == wanted:
            return answer
        what = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise InputError(f"the registry refuses {what}", hint="log in: docker login REGISTRY")
        raise AwayError(f"the registry does not do {what} {answer.text[:200]}")

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        url = path if "://" in path else f"{self._base}/v2/{self.repository}/{path}"
        try:
            return self._client.request(method, url, **more)
        except httpx.HTTPError as error:
            raise AwayError(f"{self._base} cannot be reached: {error}") from error


@cache
def _tls() -> ssl.SSLContext:
    """One for all registries: to read the certificates of authorities takes longer than a GET."""
    return httpx.create_ssl_context()


def _descriptors(manifest: Manifest) -> list[dict[str, Any]]:
    listed = manifest.body.get("manifests", [])
    return [each for each in listed if isinstance(each, dict) and "digest" in each]


def _described(manifest: Manifest) -> dict[str, Any]:
    size = len(manifest.data)
    return {"mediaType": manifest.media_type, "digest": manifest.digest, "size": size}


def _artifact(subject: Manifest, artifact_type: str, data: bytes) -> Manifest:
    """A manifest that holds one blob and names its subject."""
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": {"mediaType": _EMPTY_TYPE, "digest": sha256(EMPTY), "size": len(EMPTY)},
        "layers": [{"mediaType": artifact_type, "digest": sha256(data), "size": len(data)}],
        "subject": _described(subject),
    }
    return Manifest(MANIFEST, json.dumps(body).encode())
