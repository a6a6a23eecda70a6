"""What the registry holds for a digest: the image's bytes, and the attestations that verify."""

from dataclasses import dataclass
from typing import Final, Protocol

from delivery.attestations import REQUIRED, Signed, check
from delivery.errors import DeliveryError, InputError, RefusedError
from delivery.registry import Registry

_BUNDLE: Final = "sigstore.bundle"
"""In the media type of every version of Sigstore's bundles."""
_MOST: Final = 200
"""More attachments than this on one image are refused: somebody floods the registry."""


class Verify(Protocol):
    """Verifies a bundle."""

    def __call__(self, data: bytes, /) -> Signed:
        """Return the verified statement. Raises RefusedError if anything does not hold."""


@dataclass(frozen=True)
class Evidence:
    """The commits for which everything that is required verifies, and why others do not."""

    sources: tuple[str, ...]
    refused: tuple[str, ...]


def image_exists(registry: Registry, digest: str) -> None:
    """Raises RefusedError unless the registry holds one image of this digest, every layer of it."""
    manifest = registry.manifest(digest)
    if manifest is None:
        raise RefusedError("the registry has no such image", hint="was it deleted by a clean-up?")
    if not manifest.is_image:
        raise RefusedError(
            f"it is not a single image but {manifest.media_type}",
            hint="what was tested is one manifest; take the digest from the build's metadata",
        )
    if gone := [blob for blob in manifest.blobs() if not registry.has_blob(blob)]:
        raise RefusedError(f"the registry has lost {len(gone)} of its layers")


def evidence(registry: Registry, stage: str, digest: str, verify: Verify) -> Evidence:
    """Read every attestation of the digest; one that does not verify proves nothing."""
    proven: dict[str, set[str]] = {}
    refused: list[str] = []
    for data in attached(registry, digest, _BUNDLE):
        try:
            found = verify(data)
            if found.predicate_type in REQUIRED:
                check(stage, digest, found)
                proven.setdefault(found.source, set()).add(found.predicate_type)
        except RefusedError as error:
            refused.append(str(error.args[0]))
    complete = [source for source, kinds in proven.items() if kinds == set(REQUIRED)]
    for source, kinds in proven.items():
        if absent := set(REQUIRED) - kinds:
            refused.append(f"of {source[:12]} there is no {', '.join(sorted(absent))}")
    return Evidence(tuple(sorted(complete)), tuple(refused))


def attached(registry: Registry, digest: str, kind: str) -> list[bytes]:
    """Blobs of this media type attached to the digest. Raises RefusedError if they are too many."""
    listed = registry.referrers(digest)
    if len(listed) > _MOST:
        raise RefusedError(f"{len(listed)} things are attached to it, more than {_MOST}")
    found = []
    for each in listed:
        try:
            manifest = registry.manifest(str(each["digest"]))
            layers = manifest.body["layers"] if manifest else []
            (layer,) = layers
            if kind in str(layer["mediaType"]):
                found.append(registry.blob(str(layer["digest"])))
        except (InputError, KeyError, TypeError, ValueError):
            continue  # what is gone or malformed proves nothing, and hinders nothing
    return found


def why(error: DeliveryError) -> str:
    """The message without its hint."""
    return str(error.args[0])
