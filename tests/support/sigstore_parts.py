"""Claims, keys and the Merkle tree of the Sigstore of tests."""

import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER: Final = "https://token.actions.githubusercontent.com"
EXTENSIONS: Final = {
    8: "iss",
    9: "job_workflow_ref",
    10: "job_workflow_sha",
    11: "runner_environment",
    12: "repository",
    13: "sha",
    14: "ref",
    18: "workflow_ref",
    20: "event_name",
}
"""Fulcio's extension → the claim of GitHub's token that fills it (fulcio/docs/oid-info.md)."""


def claims(repository: str, stage: str, sha: str, **changed: str) -> dict[str, str]:
    """What GitHub says of a job of stage.yml that the stage's workflow called on staging."""
    usual = {
        "iss": ISSUER,
        "sub": f"repo:{repository}:environment:staging",
        "aud": "sigstore",
        "repository": repository,
        "ref": "refs/heads/staging",
        "sha": sha,
        "event_name": "push",
        "runner_environment": "github-hosted",
        "job_workflow_ref": f"{repository}/.github/workflows/stage.yml@refs/heads/staging",
        "job_workflow_sha": sha,
        "workflow_ref": f"{repository}/.github/workflows/{stage}.yml@refs/heads/staging",
    }
    return usual | changed


def claims_on_main(repository: str, workflow: str, sha: str, **changed: str) -> dict[str, str]:
    """What GitHub says of a job of a workflow that was started by hand on main."""
    ref = f"{repository}/.github/workflows/{workflow}.yml@refs/heads/main"
    own = {
        "sub": f"repo:{repository}:environment:production",
        "ref": "refs/heads/main",
        "event_name": "workflow_dispatch",
        "job_workflow_ref": ref,
        "workflow_ref": ref,
    }
    return claims(repository, "", sha, **own) | changed


def tree_root(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, of leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    at = _split(len(leaves))
    both = tree_root(leaves[:at]) + tree_root(leaves[at:])
    return hashlib.sha256(b"\1" + both).digest()


def audit_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The Merkle audit path of RFC 6962."""
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*audit_path(index, leaves[:at]), tree_root(leaves[at:])]
    return [*audit_path(index - at, leaves[at:]), tree_root(leaves[:at])]


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def hashed(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(public_bytes(key)).digest()


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
