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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import jwt
import rfc8785
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER: Final = "https://token.actions.githubusercontent.com"
_OID: Final = "1.3.6.1.4.1.57264.1."
_SCT: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
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
_URLS: Final = {9, 12, 18}
KEY_DETAILS: Final = "PKIX_ECDSA_P256_SHA_256"


def claims(repository: str, stage: str, sha: str, **changed: str) -> dict[str, str]:
    """What GitHub says of a job of stage.yml that the stage's workflow called on staging."""
    found = {
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
    return found | changed


class Sigstore:
    """The servers, their keys, and the trust configuration that names both."""

    def __init__(self, folder: Path) -> None:
        self._ca, self._ct, self._log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self._root = _root(self._ca)
        self._leaves: list[bytes] = []
        self._lock = threading.Lock()
        self.job: Mapping[str, str] = {}
        """Claims of the job that asks for a token now."""
        sigstore = self

        class Handler(_Handler):
            state = sigstore

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.trust_config = folder / "trust.json"
        self.trust_config.write_text(json.dumps(self._trust()))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def job_environment(self) -> dict[str, str]:
        """What GitHub sets in a job that may ask for an identity."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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
            .add_extension(_usage(signs_certificates=False), critical=True)
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
        return [_pem(logged), _pem(self._root)]

    def entry(self, proposed: Mapping[str, Any]) -> dict[str, Any]:
        """Add a DSSE envelope to the log: the entry with its proof, as Rekor answers."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        signatures = [
            {"signature": each["sig"], "verifier": verifier}
            for each, verifier in zip(envelope["signatures"], content["verifiers"], strict=True)
        ]
        spec: dict[str, Any] = {
            "envelopeHash": _hash(content["envelope"].encode()),
            "payloadHash": _hash(base64.b64decode(envelope["payload"])),
            "signatures": signatures,
        }
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        with self._lock:
            self._leaves.append(hashlib.sha256(b"\0" + body).digest())
            leaves = list(self._leaves)
        return {"of-tests": self._answer(body, leaves)}

    def _answer(self, body: bytes, leaves: list[bytes]) -> dict[str, Any]:
        index, key_id = len(leaves) - 1, _key_id(self._log)
        root, path = _root_of(leaves), _path(index, leaves)
        entry: dict[str, str | int] = {
            "body": base64.b64encode(body).decode(),
            "integratedTime": int(time.time()),
            "logID": key_id.hex(),
            "logIndex": index,
        }
        note = f"of-tests - 1\n{len(leaves)}\n{base64.b64encode(root).decode()}\n"
        signed = base64.b64encode(key_id[:4] + _signed(self._log, note.encode())).decode()
        proof = {
            "logIndex": index,
            "rootHash": root.hex(),
            "treeSize": len(leaves),
            "hashes": [each.hex() for each in path],
            "checkpoint": f"{note}\n\u2014 of-tests {signed}\n",
        }
        promise = base64.b64encode(_signed(self._log, rfc8785.dumps(entry))).decode()
        verification = {"inclusionProof": proof, "signedEntryTimestamp": promise}
        return {**entry, "verification": verification}

    def _logged(self, draft: x509.Certificate, now: datetime) -> bytes:
        """The signed certificate timestamp of RFC 6962, in its list and its OCTET STRING."""
        moment = int(now.timestamp() * 1000)
        entry = draft.tbs_certificate_bytes
        issuer = hashlib.sha256(_public(self._ca)).digest()
        length = struct.pack("!I", len(entry))[1:]
        data = struct.pack("!BBQH", 0, 0, moment, 1) + issuer + length + entry + b"\0\0"
        signature = _signed(self._ct, data)
        stamp = struct.pack("!B32sQH", 0, _key_id(self._ct), moment, 0)
        stamp += struct.pack("!BBH", 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return asn1.encode_der(listed)

    def _trust(self) -> dict[str, Any]:
        since = {"start": "2020-01-01T00:00:00Z"}

        def key(of: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            raw = base64.b64encode(_public(of)).decode()
            log = base64.b64encode(_key_id(of)).decode()
            return {
                "baseUrl": self.url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": raw, "keyDetails": KEY_DETAILS, "validFor": since},
                "logId": {"keyId": log},
            }

        root = base64.b64encode(self._root.public_bytes(serialization.Encoding.DER)).decode()
        service = {"url": self.url, "majorApiVersion": 1, "validFor": since, "operator": "tests"}
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [key(self._log)],
                "ctlogs": [key(self._ct)],
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


class _Handler(BaseHTTPRequestHandler):
    state: Sigstore

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._answer(200, {"value": self.state.token()})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/signingCert"):
            request = base64.b64decode(body["certificateSigningRequest"])
            token = self.headers["Authorization"].removeprefix("Bearer ")
            chain = {"certificates": self.state.certificate(request, token)}
            return self._answer(200, {"signedCertificateEmbeddedSct": {"chain": chain}})
        return self._answer(201, self.state.entry(body))

    def _answer(self, status: int, found: object) -> None:
        data = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a Fulcio of tests")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _root_of(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, of leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    at = _split(len(leaves))
    both = _root_of(leaves[:at]) + _root_of(leaves[at:])
    return hashlib.sha256(b"\1" + both).digest()


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The Merkle audit path of RFC 6962."""
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*_path(index, leaves[:at]), _root_of(leaves[at:])]
    return [*_path(index - at, leaves[at:]), _root_of(leaves[:at])]


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_public(key)).digest()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
