"""A Sigstore of one machine: a CA like Fulcio's and a log like Rekor's, over HTTP, for tests.

What it signs is verified by the very library and code that verify the public Sigstore's.
"""

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import rfc8785
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.certificates import key_usage, root_certificate
from support.loopback import Handler, Loopback
from support.sigstore_parts import (
    EXTENSIONS,
    audit_path,
    hashed,
    key_id,
    pem,
    public_bytes,
    signed,
    tree_root,
)

_OID: Final = "1.3.6.1.4.1.57264.1."
_SCT: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_URLS: Final = {9, 12, 18}
KEY_DETAILS: Final = "PKIX_ECDSA_P256_SHA_256"


class Sigstore(Loopback):
    """The servers, their keys, and the trust configuration that names both."""

    def __init__(self, folder: Path) -> None:
        self._ca, self._ct, self._log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self._root = root_certificate(self._ca, "a Fulcio of tests")
        self._leaves: list[bytes] = []
        self._lock = threading.Lock()
        self.job: Mapping[str, str] = {}
        """Claims of the job that asks for a token now."""
        sigstore = self

        class SigstoreHandler(_Handler):
            state = sigstore

        super().__init__(SigstoreHandler)
        self.trust_config = folder / "trust.json"
        self.trust_config.write_text(json.dumps(self._trust()))

    @property
    def job_environment(self) -> dict[str, str]:
        """What GitHub sets in a job that may ask for an identity."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
        }

    def token(self) -> str:
        """A job's token; who checks its signature is Fulcio, and it is not under test."""
        now = int(time.time())
        key = "for-tests-only-" * 3
        return jwt.encode({"iat": now, "nbf": now, "exp": now + 300, **self.job}, key, "HS256")

    def certificate(self, request: bytes, token: str) -> list[str]:
        """A certificate for the token's claims, with its entry in the certificate log."""
        said = jwt.decode(token, options={"verify_signature": False})
        key = x509.load_pem_x509_csr(request).public_key()
        now = datetime.now(UTC)
        signer = f"https://github.com/{said['job_workflow_ref']}"
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._root.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=5))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(key_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(signer)]),
                critical=True,
            )
        )
        for number, claim in EXTENSIONS.items():
            text = f"https://github.com/{said[claim]}" if number in _URLS else said[claim]
            oid = x509.ObjectIdentifier(f"{_OID}{number}")
            builder = builder.add_extension(
                x509.UnrecognizedExtension(oid, asn1.encode_der(text)), critical=False
            )
        draft = builder.sign(self._ca, hashes.SHA256())
        logged = builder.add_extension(
            x509.UnrecognizedExtension(_SCT, self._logged(draft, now)), critical=False
        ).sign(self._ca, hashes.SHA256())
        return [pem(logged), pem(self._root)]

    def entry(self, proposed: Mapping[str, Any]) -> dict[str, Any]:
        """Add a DSSE envelope to the log: the entry with its proof, as Rekor answers."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        signatures = [
            {"signature": each["sig"], "verifier": verifier}
            for each, verifier in zip(envelope["signatures"], content["verifiers"], strict=True)
        ]
        spec: dict[str, Any] = {
            "envelopeHash": hashed(content["envelope"].encode()),
            "payloadHash": hashed(base64.b64decode(envelope["payload"])),
            "signatures": signatures,
        }
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        with self._lock:
            self._leaves.append(hashlib.sha256(b"\0" + body).digest())
            leaves = list(self._leaves)
        return {"of-tests": self._answer(body, leaves)}

    def _answer(self, body: bytes, leaves: list[bytes]) -> dict[str, Any]:
        index, log = len(leaves) - 1, key_id(self._log)
        root, path = tree_root(leaves), audit_path(index, leaves)
        entry: dict[str, str | int] = {
            "body": base64.b64encode(body).decode(),
            "integratedTime": int(time.time()),
            "logID": log.hex(),
            "logIndex": index,
        }
        note = f"of-tests - 1\n{len(leaves)}\n{base64.b64encode(root).decode()}\n"
        mark = base64.b64encode(log[:4] + signed(self._log, note.encode())).decode()
        proof = {
            "logIndex": index,
            "rootHash": root.hex(),
            "treeSize": len(leaves),
            "hashes": [each.hex() for each in path],
            "checkpoint": f"{note}\n\u2014 of-tests {mark}\n",
        }
        promise = base64.b64encode(signed(self._log, rfc8785.dumps(entry))).decode()
        verification = {"inclusionProof": proof, "signedEntryTimestamp": promise}
        return {**entry, "verification": verification}

    def _logged(self, draft: x509.Certificate, now: datetime) -> bytes:
        """The signed certificate timestamp of RFC 6962, in its list and its OCTET STRING."""
        moment = int(now.timestamp() * 1000)
        entry = draft.tbs_certificate_bytes
        issuer = hashlib.sha256(public_bytes(self._ca)).digest()
        length = struct.pack("!I", len(entry))[1:]
        data = struct.pack("!BBQH", 0, 0, moment, 1) + issuer + length + entry + b"\0\0"
        signature = signed(self._ct, data)
        stamp = struct.pack("!B32sQH", 0, key_id(self._ct), moment, 0)
        stamp += struct.pack("!BBH", 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return asn1.encode_der(listed)

    def _trust(self) -> dict[str, Any]:
        since = {"start": "2020-01-01T00:00:00Z"}

        root = base64.b64encode(self._root.public_bytes(serialization.Encoding.DER)).decode()
        service = {"url": self.url, "majorApiVersion": 1, "validFor": since, "operator": "tests"}
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [self._log_of(self._log, since)],
                "ctlogs": [self._log_of(self._ct, since)],
                "certificateAuthorities": [
                    {
                        "subject": {"organization": "tests", "commonName": "tests"},
                        "uri": self.url,
                        "certChain": {"certificates": [{"rawBytes": root}]},
                        "validFor": since,
                    }
                ],
                "timestampAuthorities": [],
            },
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [],
                "rekorTlogUrls": [service],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [],
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def _log_of(self, key: ec.EllipticCurvePrivateKey, since: object) -> dict[str, Any]:
        raw = base64.b64encode(public_bytes(key)).decode()
        return {
            "baseUrl": self.url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {"rawBytes": raw, "keyDetails": KEY_DETAILS, "validFor": since},
            "logId": {"keyId": base64.b64encode(key_id(key)).decode()},
        }


class _Handler(Handler):
    state: Sigstore

    def do_GET(self) -> None:
        self.answer(200, {"value": self.state.token()})

    def do_POST(self) -> None:
        body = json.loads(self.body())
        if self.path.endswith("/signingCert"):
            request = base64.b64decode(body["certificateSigningRequest"])
            token = self.headers["Authorization"].removeprefix("Bearer ")
            chain = {"certificates": self.state.certificate(request, token)}
            return self.answer(200, {"signedCertificateEmbeddedSct": {"chain": chain}})
        return self.answer(201, self.state.entry(body))
