"""Signed records beside an image in the registry: that it was promoted, or rolled back to."""

from collections.abc import Callable, Mapping
from typing import Final

from delivery.attestations import Signed, statement
from delivery.errors import RefusedError
from delivery.evidence import Verify, attached
from delivery.registry import Registry
from delivery.stages import image_name

PROMOTION: Final = "urn:pullrisk:promotion:v1"
"""`commit`: the commit of staging that main was moved to, with this image."""
ROLLBACK: Final = "urn:pullrisk:rollback:v1"
"""`commit`: the commit that wrote this image into the manifest again."""
WORKFLOWS: Final = {PROMOTION: "promote", ROLLBACK: "rollback"}
"""Kind of record to the only workflow that may sign it, on main."""
RECORD: Final = "application/vnd.pullrisk.record.v1+json"
"""Media type of what is attached: a Sigstore bundle, apart from the attestations of the build."""

Sign = Callable[[object], bytes]
"""Signs a statement with this job's identity."""


def add_record(
    registry: Registry,
    stage: str,
    digest: str,
    kind: str,
    content: Mapping[str, object],
    sign: Sign,
) -> None:
    """Sign a record of the image and attach it."""
    registry.attach(digest, RECORD, sign(statement(stage, digest, kind, content)))


def recorded_commits(
    registry: Registry, stage: str, digest: str, kind: str, verify: Verify
) -> list[str]:
    """Commits that verified records of this kind name; a record that does not verify is ignored."""
    found = (_verified(data, verify) for data in attached(registry, digest, RECORD))
    return [
        str(each.predicate.get("commit"))
        for each in found
        if each is not None
        and (each.subject, each.digest) == (image_name(stage), digest)
        and each.predicate_type == kind
    ]


def _verified(data: bytes, verify: Verify) -> Signed | None:
    try:
        return verify(data)
    except RefusedError:
        return None
