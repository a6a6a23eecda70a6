"""Signing in with OpenID Connect: the code flow with discovery, state, nonce and PKCE.

What a person may see is configured, or named by a claim of the token; without either, nothing.
Source: OpenID Connect Core 1.0, section 3.1.
"""

import asyncio
from collections.abc import Callable
from hmac import compare_digest
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
import msgspec

from pullrisk.options import SignInOptions, is_loopback
from pullrisk.serve.sign_in.provider import SignInError, ask, challenge, decoded
from pullrisk.serve.sign_in.session import Flow, Person

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
"""Signatures with a key that only the provider has."""
_LEEWAY: Final = 60
_MOST_CHARACTERS: Final = 20_000
"""Of the names that a session's cookies have room for."""
_FRESH: Final = 3_600.0
_BETWEEN_KEYS: Final = 30.0
"""Seconds between two looks at the provider's keys, however many unknown ones are named."""


class _Endpoints(msgspec.Struct, frozen=True):
    """What discovery tells (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Grant(msgspec.Struct, frozen=True):
    """What the provider gives for a code."""

    id_token: str = ""
    error: str = "no id_token in its answer"


class _KeySet(msgspec.Struct, frozen=True):
    """The provider's keys (RFC 7517)."""

    keys: list[dict[str, Any]]


class OpenIdProvider:
    """The provider of `options`; `secret` gives this service's client secret of the moment."""

    def __init__(
        self, options: SignInOptions, *, secret: Callable[[], str], http: httpx.AsyncClient
    ) -> None:
        self._options, self._secret, self._http = options, secret, http
        self._issuer, self._client = options.oidc_issuer or "", options.oidc_client_id or ""
        self._described: tuple[float, _Endpoints] | None = None
        self._keys: tuple[float, dict[str | None, jwt.PyJWK]] = (0.0, {})
        self._reading = asyncio.Lock()

    async def address(self, flow: Flow, redirect: str) -> str:
        """Where to send the browser. Raises SignInError."""
        described = await self._describe()
        query = {
            "response_type": "code",
            "scope": "openid profile",
            "client_id": self._client,
            "redirect_uri": redirect,
            "state": flow.state,
            "nonce": flow.nonce,
        }
        address = described.authorization_endpoint
        joint = "&" if urlsplit(address).query else "?"
        return f"{address}{joint}{urlencode(query | challenge(flow))}"

    async def person(self, code: str, flow: Flow, redirect: str) -> Person:
        """Who the code stands for, which works once. Raises SignInError."""
        described = await self._describe()
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client,
            "client_secret": self._secret(),
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": flow.verifier,
        }
        grant = decoded(await ask(self._http, "POST", described.token_endpoint, data=form), _Grant)
        if not grant.id_token:
            raise SignInError(f"the provider refuses: {grant.error[:100]}")
        claims = await self._verified(grant.id_token, flow)
        login = _plain(str(claims.get("preferred_username") or claims["sub"]))
        return Person(by="oidc", login=login[:100], repositories=self._repositories(claims))

    async def _verified(self, token: str, flow: Flow) -> dict[str, Any]:
        """The claims of a token that is the provider's, for us, and of this sign-in."""
        try:
            key = await self._key_of(jwt.get_unverified_header(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                audience=self._client,
                issuer=self._issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except SignInError:
            raise
        except Exception as error:  # the library's own, or what an odd number or key raises
            raise SignInError(f"the provider's token is not valid: {error}") from None
        if claims.get("azp", self._client) != self._client:
            raise SignInError("the provider's token is for somebody else")
        if not compare_digest(_plain(str(claims.get("nonce", ""))).encode(), flow.nonce.encode()):
            raise SignInError("the provider's token is of another sign-in")
        return claims

    def _repositories(self, claims: dict[str, Any]) -> tuple[str, ...]:
        """What the person may see. Raises SignInError if the claim names too many."""
        listed = claims.get(self._options.oidc_claim or "", [])
        listed = listed if isinstance(listed, list) else []
        names = [_plain(each) for each in listed if isinstance(each, str)]
        if sum(len(name) for name in names) > _MOST_CHARACTERS:
            raise SignInError(
                f"the claim names more repositories than {_MOST_CHARACTERS:,} letters"
            )
        return tuple(dict.fromkeys((*self._options.oidc_repositories, *names)))

    async def _describe(self) -> _Endpoints:
        """The provider's endpoints (OpenID Connect Discovery 1.0). Raises SignInError."""
        if self._described is None or monotonic() - self._described[0] > _FRESH:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            endpoints = decoded(await ask(self._http, "GET", url), _Endpoints)
            if endpoints.issuer != self._issuer:
                raise SignInError(f"{url} describes another issuer", status=503)
            if not all(map(_is_safe, msgspec.structs.astuple(endpoints)[1:])):
                raise SignInError(f"{url} names an address that is not https://", status=503)
            self._described = monotonic(), endpoints
        return self._described[1]

    async def _key_of(self, header: dict[str, Any]) -> jwt.PyJWK:
        """The provider's key that a token names; read anew if it is not known."""
        name = header.get("kid")
        async with self._reading:
            read_at, keys = self._keys
            if name not in keys and (not keys or monotonic() - read_at > _BETWEEN_KEYS):
                described = await self._describe()
                key_set = decoded(await ask(self._http, "GET", described.jwks_uri), _KeySet)
                keys = {key.key_id: key for key in map(_key, key_set.keys) if key is not None}
                self._keys = monotonic(), keys
        if name is None and len(keys) == 1:
            return next(iter(keys.values()))
        if name not in keys:
            raise SignInError("the provider's token is signed with a key that it does not list")
        return keys[name]


def _key(described: dict[str, Any]) -> jwt.PyJWK | None:
    """A key; None for one that cannot be used, which is no matter while another is right."""
    try:
        key = jwt.PyJWK(described)
        return key if isinstance(key.key_id, str | None) else None
    except Exception:  # whatever the library meets in numbers and texts that are none
        return None


def _plain(text: str) -> str:
    """The text without half characters, which JSON may hold and UTF-8 may not."""
    return text.encode(errors="replace").decode()


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
