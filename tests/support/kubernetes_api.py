"""The two parts of a Kubernetes API server that Vault talks to: tokens and their review.

`ServiceAccounts` signs projected tokens (RS256, with audience, expiry and the kubernetes.io
claims). `TokenReviews` is the endpoint of `authentication.k8s.io/v1`: it takes reviews only from
a caller whose own token is good for the API server and who may review, and authenticates a token
only if its signature, issuer, expiry and audience hold.
"""

import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.certificates import Certificates
from support.loopback import Handler, Loopback

API_SERVER = "https://kubernetes.default.svc"
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
REVIEWER = "system:serviceaccount:vault:vault"


class ServiceAccounts:
    """Issues tokens as the API server's TokenRequest does."""

    def __init__(self, issuer: str = API_SERVER) -> None:
        self.issuer = issuer
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public_pem(self) -> str:
        return (
            self._key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def token(
        self,
        account: str,
        *,
        namespace: str = "",
        audience: str = "vault",
        seconds: float = 600,
    ) -> str:
        """A token; without `namespace`, of the one that the account is in."""
        namespace = namespace or ("pullrisk-spark" if account.startswith("spark-") else "pullrisk")
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "aud": [audience],
            "iat": now - 3600,
            "nbf": now - 3600,
            "exp": int(now + seconds),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": f"uid-of-{account}"},
                "pod": {"name": f"{account}-0", "uid": f"uid-of-{account}-0"},
            },
        }
        return self.signed(claims)

    def signed(self, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), self._key, algorithm="RS256")

    def verified(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        """The claims. Raises jwt.InvalidTokenError with the reason."""
        claims: dict[str, Any] = jwt.decode(
            token,
            self.public_pem,
            algorithms=["RS256"],
            audience=list(audiences),
            issuer=self.issuer,
            options={"require": ["exp", "iat", "aud", "sub"]},
        )
        return claims


class TokenReviews(Loopback):
    """The endpoint, on https://127.0.0.1:<free port>."""

    def __init__(self, accounts: ServiceAccounts, certificates: Certificates) -> None:
        self.accounts = accounts
        self.reviewed: list[str] = []
        """Tokens that Vault asked about, the last one last."""
        super().__init__(self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    @property
    def reviewer_token(self) -> str:
        return self.accounts.token("vault", namespace="vault", audience=API_SERVER, seconds=3600)

    def review(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The status of one review."""
        self.reviewed.append(spec.get("token", ""))
        audiences = spec.get("audiences") or [API_SERVER]
        try:
            claims = self.accounts.verified(spec["token"], audiences)
        except (jwt.InvalidTokenError, KeyError) as error:
            return {"authenticated": False, "error": f"invalid bearer token, {error}"}
        places = claims["kubernetes.io"]
        namespace = places["namespace"]
        return {
            "authenticated": True,
            "audiences": [each for each in audiences if each in claims["aud"]],
            "user": {
                "username": claims["sub"],
                "uid": places["serviceaccount"]["uid"],
                "groups": [
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{namespace}",
                    "system:authenticated",
                ],
            },
        }

    def may_review(self, authorization: str) -> int:
        """200 for the reviewer, 401 for a bad token, 403 for anybody else."""
        try:
            claims = self.accounts.verified(authorization.removeprefix("Bearer "), [API_SERVER])
        except jwt.InvalidTokenError:
            return 401
        return 200 if claims["sub"] == REVIEWER else 403

    def _handler(self) -> type[Handler]:
        reviews = self

        class Reviewer(Handler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.body()
                if self.path != PATH:
                    return self.answer(404, {"kind": "Status", "status": "Failure"})
                allowed = reviews.may_review(self.headers.get("Authorization", ""))
                if allowed != 200:
                    return self.answer(allowed, {"kind": "Status", "status": "Failure"})
                asked = json.loads(body)
                asked["status"] = reviews.review(asked["spec"])
                return self.answer(201, asked)

        return Reviewer
