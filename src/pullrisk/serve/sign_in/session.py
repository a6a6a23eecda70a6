"""Sessions: who is signed in, in an encrypted cookie that every process of the service can read.

Nothing is kept at the service, so there is nothing to share or to clean up. A session ends at a
fixed time; a new sign-in replaces it whole.
"""

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from time import time
from typing import Any, Final, Literal, Self, TypeAlias

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.middleware import DefineMiddleware
from litestar.middleware.session.base import SessionMiddleware
from litestar.middleware.session.client_side import ClientSideSessionBackend, CookieBackendConfig
from litestar.types import ASGIApp, Receive, Scope, Send

from pullrisk.serve.problems import ProblemError

AnyRequest: TypeAlias = "Request[Any, Any, Any]"
CSRF_FIELD: Final = "csrf"
"""The field of every form that changes something; scripts send the header instead."""
_CSRF_HEADER: Final = "x-csrf-token"
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_FORM: Final = "application/x-www-form-urlencoded"


class Flow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sign-in under way: what the provider has to send back, and where the person wanted to go.

    `verifier` is that of PKCE (RFC 7636), `nonce` has to stand in an id token.
    """

    provider: Literal["github", "oidc", "setup"]
    state: str = msgspec.field(default_factory=lambda: token_urlsafe(32))
    verifier: str = msgspec.field(default_factory=lambda: token_urlsafe(48))
    nonce: str = msgspec.field(default_factory=lambda: token_urlsafe(32))
    back: str = "/"
    vault_token: str = ""


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who signed in, and by what.

    `token` is the person's own at GitHub, `repositories` what an OpenID provider named; of an API
    key, `login` is its name in the log.
    """

    by: Literal["github", "oidc", "key"]
    login: str
    token: str = ""
    repositories: tuple[str, ...] = ()


class Session(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the cookie holds; `until` is in seconds since 1970."""

    until: float = 0.0
    csrf: str = ""
    person: Person | None = None
    flow: Flow | None = None


class SealedCookie(ClientSideSessionBackend):
    """The framework's encrypted cookie, with a key that may change, and written only if changed.

    The framework writes it with every answer: one that is under way at a sign-out would sign the
    person in again. It also raises on cookies that nobody encrypted.
    """

    def __init__(self, config: CookieBackendConfig, key: Callable[[], bytes]) -> None:
        super().__init__(config)
        self._key = key
        self._sealed_with = b""

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: the framework copies what its routers are made of, and a cipher has no copy."""
        return self

    async def load_from_connection(
        self, connection: "ASGIConnection[Any, Any, Any, Any]"
    ) -> dict[str, Any]:
        """What the request's cookie holds; empty if it is nobody's or too old."""
        self._follow_key()
        try:
            return await super().load_from_connection(connection)
        except Exception:  # a stranger's text fails in many ways, each of them harmless
            return {}

    async def store_in_message(
        self,
        scope_session: Any,  # noqa: ANN401
        message: Any,  # noqa: ANN401
        connection: "ASGIConnection[Any, Any, Any, Any]",
    ) -> None:
        """Add the headers that set the cookie, or end it."""
        if (scope_session or {}) != await self.load_from_connection(connection):
            await super().store_in_message(scope_session, message, connection)

    def _follow_key(self) -> None:
        key = self._key()
        if key != self._sealed_with:
            self.aesgcm, self._sealed_with = AESGCM(key), key


class Sessions:
    """Reads and writes sessions; `key` gives the secret of this moment."""

    def __init__(self, key: Callable[[], str], *, hours: float, secure: bool) -> None:
        self._seconds = hours * 3_600
        self.secure = secure
        """Whether browsers send the cookies over HTTPS alone."""
        config = CookieBackendConfig(
            secret=bytes(32),
            key="__Host-pullrisk" if secure else "pullrisk",
            max_age=max(1, int(self._seconds)),
            secure=secure,
        )
        self._cookie = SealedCookie(config, lambda: sha256(key().encode()).digest())
        self.middleware = DefineMiddleware(SessionMiddleware, backend=self._cookie)
        """Gives the handlers of a router `request.session`."""

    async def load(self, request: AnyRequest) -> Session:
        """The session of a request; a new one if it has none, or its time is over."""
        return session_of(await self._cookie.load_from_connection(request))

    def begin(self, request: AnyRequest, person: Person) -> None:
        """Sign a person in: nothing of the session before stays."""
        session = Session(until=time() + self._seconds, csrf=token_urlsafe(32), person=person)
        request.set_session(msgspec.to_builtins(session))

    def keep(self, request: AnyRequest, session: Session) -> None:
        """Change the session, and leave its end as it is."""
        if not session.until:
            session.until = time() + self._seconds
        request.set_session(msgspec.to_builtins(session))


def session_of(data: dict[str, Any]) -> Session:
    """The session of what a cookie held."""
    try:
        session = msgspec.convert(data, Session)
    except msgspec.ValidationError:
        session = Session()
    if session.until < time():
        session = Session()
    session.csrf = session.csrf or token_urlsafe(32)
    return session


class CsrfGate:
    """Refuses whatever changes something and does not show the session's own token.

    The framework's own middleware keeps the token in a cookie of its own, answers 500 to one that
    is not ASCII, and refuses everybody for ever after its secret has changed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ProblemError 403 or 415."""
        request: AnyRequest = Request(scope, receive)
        await check_csrf(request, session_of(request.session))
        await self._app(scope, receive, send)


async def check_csrf(request: AnyRequest, session: Session) -> None:
    """Raise ProblemError 403 if a request changes something without the session's token."""
    if request.method in _SAFE:
        return
    token = request.headers.get(_CSRF_HEADER)
    if token is None:
        if request.content_type[0] != _FORM:
            raise ProblemError(415, f"a form has to be sent as {_FORM}")
        token = (await request.form()).get(CSRF_FIELD)
    if not isinstance(token, str) or not compare_digest(
        token.encode(errors="replace"), session.csrf.encode()
    ):
        raise ProblemError(403, "the form is of another session: load the page anew")
