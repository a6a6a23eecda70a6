"""Sigstore: statements signed by a workflow's identity, and verified against one identity alone."""

import json
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Final

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    UnrecognizedExtension,
)
from sigstore.dsse import Statement
from sigstore.errors import Error as SigstoreError
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken, detect_credential
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

from delivery.attestations import Signed, signed
from delivery.errors import AwayError, InputError, RefusedError
from delivery.stages import MAIN, STAGING, WORKFLOW

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""Media type of what lies in the registry beside an image."""
ISSUER: Final = "https://token.actions.githubusercontent.com"
_GITHUB: Final = "https://github.com"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_SOURCE_DIGEST: Final = ObjectIdentifier("1.3.6.1.4.1.57264.1.13")
"""Fulcio's extension for the commit that the workflow ran on."""
_TRIGGERS: Final = ("push", "workflow_dispatch")


@dataclass(frozen=True)
class Identity:
    """The only workflow whose signature counts for one purpose."""

    repository: str
    branch: str
    workflow: str
    """Path of the workflow whose job signs."""
    caller: str
    """Path of the workflow that was started, and called that one."""

    @classmethod
    def of_stage(cls, repository: str, stage: str) -> "Identity":
        """stage.yml, called by the stage's own workflow, on staging."""
        return cls(repository, STAGING, WORKFLOW, f".github/workflows/{stage}.yml")

    @classmethod
    def on_main(cls, repository: str, name: str) -> "Identity":
        """A workflow that was started on main."""
        path = f".github/workflows/{name}.yml"
        return cls(repository, MAIN, path, path)

    def policy(self) -> policy.VerificationPolicy:
        """All that the certificate has to say."""
        home, ref = f"{_GITHUB}/{self.repository}", f"refs/heads/{self.branch}"
        return policy.AllOf(
            [
                policy.OIDCIssuerV2(ISSUER),
                policy.Identity(identity=f"{home}/{self.workflow}@{ref}"),
                policy.OIDCBuildSignerURI(f"{home}/{self.workflow}@{ref}"),
                policy.OIDCBuildConfigURI(f"{home}/{self.caller}@{ref}"),
                policy.OIDCSourceRepositoryURI(home),
                policy.OIDCSourceRepositoryRef(ref),
                policy.OIDCRunnerEnvironment("github-hosted"),
                policy.AnyOf([policy.OIDCBuildTrigger(each) for each in _TRIGGERS]),
            ]
        )


def trust(path: Path | None) -> ClientTrustConfig:
    """Sigstore's public instance, or another one described in a file (that of the tests)."""
    if path is not None:
        return ClientTrustConfig.from_json(path.read_text(encoding="utf-8"))
    try:
        return ClientTrustConfig.production()
    except SigstoreError as error:
        raise AwayError(f"Sigstore's root of trust cannot be read: {error}") from error


def has_identity() -> bool:
    """Whether this is a job of GitHub Actions that may ask for a token of its own."""
    return "ACTIONS_ID_TOKEN_REQUEST_URL" in environ


def sign(statement: object, config: ClientTrustConfig) -> bytes:
    """A bundle signed with this job's identity. Raises InputError outside of a GitHub job."""
    token = detect_credential()
    if token is None:
        raise InputError(
            "this is not a job with an identity",
            hint="run it in GitHub Actions, with permissions: id-token: write",
        )
    context = SigningContext.from_trust_config(config)
    with context.signer(IdentityToken(token)) as signer:
        bundle = signer.sign_dsse(Statement(json.dumps(statement).encode()))
    return bundle.to_json().encode()


def verify(data: bytes, who: Identity, config: ClientTrustConfig) -> Signed:
    """The statement of a bundle. Raises RefusedError if any part does not verify.

    Checked: certificate chain and its log, time, identity, inclusion in the transparency log,
    signature (Sigstore client specification, https://docs.sigstore.dev/).
    """
    try:
        bundle = Bundle.from_json(data)
        kind, payload = Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, who.policy())
        source = _source(bundle.signing_certificate)
        statement = json.loads(payload)
    except (VerificationError, SigstoreError, ExtensionNotFound, ValueError) as error:
        raise RefusedError(f"the signature does not hold: {error}") from error
    if kind != _IN_TOTO or not isinstance(statement, dict):
        raise RefusedError(f"what is signed is not an in-toto statement but {kind}")
    return signed(statement, source)


def _source(certificate: Certificate) -> str:
    value = certificate.extensions.get_extension_for_oid(_SOURCE_DIGEST).value
    if not isinstance(value, UnrecognizedExtension):
        raise RefusedError("the certificate's commit cannot be read")
    return str(asn1.decode_der(str, value.value))
