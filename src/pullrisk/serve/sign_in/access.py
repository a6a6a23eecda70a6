"""Who is signed in, and what they may see: asked of GitHub with their own token, for a short time.

When in doubt, nothing: a token that GitHub refuses ends the session, and while GitHub does not
answer there is no page.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import httpx

from pullrisk.options import SignInOptions
from pullrisk.serve.sign_in.github import (
    GitHubOAuth,
    KnownRepositories,
    ReadableRepositories,
    TokenEndedError,
)
from pullrisk.serve.sign_in.oidc import OpenIdProvider
from pullrisk.serve.sign_in.provider import SignInError
from pullrisk.serve.sign_in.session import Person, Session, Sessions
from pullrisk.serve.sign_in.viewer import Viewer

if TYPE_CHECKING:
    from pullrisk.pulls.store import PullStore
    from pullrisk.serve.service import Service

_MOST_PEOPLE: Final = 1_024


class SignIn:
    """The ways to sign in to a service; without `github` and `oidc` only by an API key.

    `read_known` gives what the pull store has.
    """

    def __init__(
        self,
        options: SignInOptions,
        sessions: Sessions,
        *,
        http: httpx.AsyncClient,
        read_known: "Callable[[PullStore], KnownRepositories]",
        github: GitHubOAuth | None,
        oidc: OpenIdProvider | None,
    ) -> None:
        self.sessions, self.github, self.oidc = sessions, github, oidc
        self.http, self._url, self._read_known = http, options.url, read_known
        self._readable = ReadableCache(seconds=options.recheck)

    @property
    def is_required(self) -> bool:
        """Whether people have to sign in even where the service listens on loopback."""
        return self.github is not None or self.oidc is not None

    def redirect(self, provider: str) -> str:
        """Where a provider sends the browser back to."""
        return f"{self._url}/sign-in/{provider}/callback"

    async def viewer(self, session: Session, service: "Service") -> Viewer | None:
        """What the session's person may see; None if nobody is signed in, or not any more.

        Raises SignInError if GitHub, and StoreError if the store, cannot be asked.
        """
        person = session.person
        if person is None:
            return None
        if person.by == "key":
            valid = service.dependencies.keys.holds(person.login)
            return Viewer(repositories=None, csrf=session.csrf) if valid else None
        if person.by == "oidc":
            names = frozenset(person.repositories) if self.oidc else frozenset()
            return Viewer(person.login, names, session.csrf)
        readable = await self._ask(person.token, service)
        if readable is None:
            return None
        return Viewer(readable.login, readable.repositories, session.csrf)

    async def sign_out(self, person: Person) -> None:
        """End the person's token at GitHub, so that a copy of the cookie shows nothing either."""
        if person.by != "github" or self.github is None:
            return
        self._readable.forget(person.token)
        with suppress(SignInError):
            await self.github.revoke(person.token)

    async def _ask(self, token: str, service: "Service") -> ReadableRepositories | None:
        github = self.github
        if github is None:
            return None

        async def ask() -> ReadableRepositories:
            return await github.readable(token, await service.from_store(self._read_known))

        try:
            return await self._readable.of(token, ask)
        except TokenEndedError:
            return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """As long as the process serves."""
        yield
        await self.http.aclose()


class ReadableCache:
    """What people may read, asked anew after `seconds`; a question at a time for each person."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._asked: OrderedDict[bytes, tuple[float, asyncio.Future[ReadableRepositories]]] = (
            OrderedDict()
        )

    async def of(
        self, token: str, ask: Callable[[], Coroutine[Any, Any, ReadableRepositories]]
    ) -> ReadableRepositories:
        """Raises what `ask` raises; then the next call asks again."""
        digest = sha256(token.encode()).digest()
        entry = self._asked.get(digest)
        if entry is None or monotonic() - entry[0] > self._seconds:
            entry = monotonic(), asyncio.ensure_future(ask())
            self._asked[digest] = entry
            self._asked.move_to_end(digest)
            if len(self._asked) > _MOST_PEOPLE:
                self._asked.popitem(last=False)
        try:
            return await asyncio.shield(entry[1])  # others wait for the same answer
        except Exception:
            if self._asked.get(digest) is entry:
                del self._asked[digest]
            raise

    def forget(self, token: str) -> None:
        """The token was ended."""
        self._asked.pop(sha256(token.encode()).digest(), None)
