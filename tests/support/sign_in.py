"""Who signs people in, for the tests: GitHub's web flow and an OpenID Connect provider.

Each refuses what the real one refuses: another redirect_uri, a client that it does not know, a code
that was used, a wrong verifier of PKCE.
"""

import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_github.accounts import Account
from fake_github.app import FakeGitHub

CLIENT = "Iv1.0123456789abcdef"
CLIENT_SECRET = "a client's secret"

KEY = "a-key-of-the-api"


def sign_in_environment(url: str, issuer: str) -> dict[str, str]:
    """What lets a service at `url` sign people in by GitHub, a provider and a key of the API."""
    return {
        "PULLRISK_GITHUB_CLIENT_ID": CLIENT,
        "PULLRISK_GITHUB_CLIENT_SECRET": CLIENT_SECRET,
        "PULLRISK_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "PULLRISK_API_KEYS": KEY,
        "PULLRISK_SIGN_IN__URL": url,
        "PULLRISK_SIGN_IN__RECHECK": "1",
        "PULLRISK_SIGN_IN__OIDC_ISSUER": issuer,
        "PULLRISK_SIGN_IN__OIDC_CLIENT_ID": CLIENT,
        "PULLRISK_SIGN_IN__OIDC_CLAIM": "repositories",
    }


MADE = {
    "id": 4711,
    "slug": "pullrisk",
    "html_url": "https://github.example.org/apps/pullrisk",
    "client_id": CLIENT,
    "client_secret": "of the client " * 3,
    "webhook_secret": "of the webhook " * 3,
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----\n",
    "owner": {"login": "acme"},
}
"""What GitHub tells once of an App that was made from a manifest."""
_MANIFEST = {
    "name", "url", "hook_attributes", "redirect_url", "callback_urls", "setup_url", "description",
    "public", "default_events", "default_permissions", "request_oauth_on_install",
    "setup_on_update",
}  # fmt: skip
"""What a manifest may hold."""

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Answer = tuple[int, object, dict[str, str]]


class Codes:
    """Codes of the web flow, each for what it was asked with, and good for one use."""

    def __init__(self, callbacks: set[str]) -> None:
        self.callbacks = callbacks
        self._open: dict[str, dict[str, str]] = {}

    def authorize(self, query: dict[str, str]) -> Answer:
        """What the browser gets after the person said yes."""
        if query.get("client_id") != CLIENT:
            return 404, "no such client", {}
        if query.get("redirect_uri") not in self.callbacks:
            return 400, "The redirect_uri is not associated with this application.", {}
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return 400, "PKCE is required", {}
        code = secrets.token_hex(10)
        self._open[code] = query
        back = urlencode({"code": code, "state": query["state"]})
        return 302, "", {"location": f"{query['redirect_uri']}?{back}"}

    def redeem(self, form: dict[str, str]) -> dict[str, str] | str:
        """What the code was asked with, or the error."""
        asked = self._open.pop(form.get("code", ""), None)
        digest = sha256(form.get("code_verifier", "").encode()).digest()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, CLIENT_SECRET):
            return "incorrect_client_credentials"
        if asked is None or asked["code_challenge"] != _base64(digest):
            return "bad_verification_code"
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return "redirect_uri_mismatch"
        return asked


class GitHubSignIn:
    """The fake GitHub with the web flow. `login` is who sits at the browser; `may_read` names the
    private repositories of each login; `instead` holds answers by the ends of their paths.
    """

    def __init__(self, github: FakeGitHub, callbacks: set[str]) -> None:
        self.github, self.codes = github, Codes(callbacks)
        self.login = "mara"
        self.manifests: dict[str, dict[str, Any]] = {}
        self.may_read: dict[str, set[str]] = {}
        self.down = False
        self.instead: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; whatever is not about signing in goes to the fake GitHub."""
        path = scope.get("path", "")
        if self.down and scope["type"] == "http":
            await _send(send, (503, "We are away", {}))
        elif (other := _instead(self.instead, path)) is not None:
            await _send(send, (200, other, {}))
        elif path == "/login/oauth/authorize":
            await _send(send, self.codes.authorize(_pairs(scope["query_string"])))
        elif path == "/login/oauth/access_token":
            await _send(send, self._token(_pairs(await _body(receive))))
        elif path.endswith("/settings/apps/new") and scope["method"] == "POST":
            form = _pairs(await _body(receive))
            await _send(send, self._make_app(_pairs(scope["query_string"]), form))
        elif path.startswith("/api/v3/app-manifests/"):
            await _send(send, self._convert(path.split("/")[-2]))
        elif path == f"/api/v3/applications/{CLIENT}/token" and scope["method"] == "DELETE":
            await _send(send, self._revoke(scope, json.loads(await _body(receive))))
        else:
            await self.github(scope, receive, send)

    def forget(self, login: str) -> None:
        """The person takes the App's permission back."""
        tokens = self.github.accounts.tokens
        for token in [token for token, account in tokens.items() if account.login == login]:
            del tokens[token]

    def _make_app(self, query: dict[str, str], form: dict[str, str]) -> Answer:
        """The person confirms what the form holds."""
        asked = json.loads(form["manifest"])
        hook = urlsplit(asked["hook_attributes"]["url"])
        if hook.scheme != "https" or not asked["url"] or set(asked) - _MANIFEST:
            return 422, "Invalid GitHub App configuration", {}
        code = secrets.token_hex(20)
        self.manifests[code] = asked
        back = urlencode({"code": code, "state": query["state"]})
        return 302, "", {"location": f"{asked['redirect_url']}?{back}"}

    def _convert(self, code: str) -> Answer:
        if self.manifests.pop(code, None) is None:
            return 404, {"message": "Not Found"}, {}
        return 201, MADE, {}

    def _token(self, form: dict[str, str]) -> Answer:
        asked = self.codes.redeem(form)
        if isinstance(asked, str):
            return 200, {"error": asked, "error_description": "See the documentation."}, {}
        token = f"ghu_{secrets.token_hex(8)}"
        self.github.accounts.tokens[token] = Account(login=self.login)
        for repository in self.github.world.repositories.values():
            readers = self.may_read.get(self.login, set())
            if repository.private_to is not None and repository.name in readers:
                repository.private_to |= {token}
        return 200, {"access_token": token, "token_type": "bearer", "scope": ""}, {}

    def _revoke(self, scope: Scope, body: dict[str, str]) -> Answer:
        basic = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        if dict(scope["headers"]).get(b"authorization", b"").decode() != f"Basic {basic}":
            return 404, {"message": "Not Found"}, {}
        gone = self.github.accounts.tokens.pop(body["access_token"], None)
        return (204, "", {}) if gone else (422, {"message": "Validation Failed"}, {})


class OpenId:
    """An OpenID Connect provider; `claims` replace or add to those of its tokens, `instead` holds
    answers by the ends of their paths.
    """

    def __init__(self, callbacks: set[str]) -> None:
        self.codes = Codes(callbacks)
        self.issuer = ""
        self.claims: dict[str, object] = {}
        self.instead: dict[str, bytes] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.signed_with: Any = self.key
        self.algorithm, self.key_name = "RS256", "first"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        if (other := _instead(self.instead, path)) is not None:
            await _send(send, (200, other, {}))
        elif path == "/.well-known/openid-configuration":
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            places = ("authorize", "token", "keys")
            endpoints = {n: f"{self.issuer}/{p}" for n, p in zip(names, places, strict=True)}
            await _send(send, (200, {"issuer": self.issuer, **endpoints}, {}))
        elif path == "/authorize":
            await _send(send, self.codes.authorize(_pairs(scope["query_string"])))
        elif path == "/token":
            await _send(send, self._token(_pairs(await _body(receive))))
        elif path == "/keys":
            public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            await _send(send, (200, {"keys": [{**public, "kid": self.key_name}]}, {}))

    def _token(self, form: dict[str, str]) -> Answer:
        asked = self.codes.redeem(form)
        if isinstance(asked, str) or form.get("grant_type") != "authorization_code":
            return 400, {"error": "invalid_grant"}, {}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "12",
            "preferred_username": "otto",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        payload = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(
            payload, self.signed_with, self.algorithm, headers={"kid": self.key_name}
        )
        return 200, {"id_token": token, "access_token": "x", "token_type": "Bearer"}, {}


def _instead(answers: dict[str, bytes], path: str) -> bytes | None:
    return next((body for end, body in answers.items() if path.endswith(end)), None)


def _pairs(text: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text.decode()).items()}


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _send(send: Send, answer: Answer) -> None:
    status, value, headers = answer
    plain = value.encode() if isinstance(value, str) else value
    body = plain if isinstance(plain, bytes) else json.dumps(value).encode()
    kind = {"content-type": "text/plain" if isinstance(value, str) else "application/json"}
    raw = [(name.encode(), text.encode()) for name, text in (kind | headers).items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
