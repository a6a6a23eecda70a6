"""Signing in with GitHub: the web flow of a GitHub App, with state and PKCE.

No scope is asked for: what a person sees is what both the App and the person may read.
Source: docs.github.com, "Generating a user access token for a GitHub App".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import urlencode

import httpx
import msgspec

from pullrisk.serve.sign_in.provider import SignInError, ask, challenge, decoded
from pullrisk.serve.sign_in.session import Flow

_AT_ONCE: Final = 100
"""Repositories in one question, which costs one point of the person's budget."""
_NAME: Final = re.compile(r"([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)")
_JSON: Final = {"Accept": "application/json"}

KnownRepositories = Mapping[str, int | None]
"""The stored repositories: their names, and GitHub's numbers of them where those are known."""


class GitHubAddresses(msgspec.Struct, frozen=True):
    """One GitHub: where its pages and both its APIs are."""

    web: str
    rest: str
    graphql: str


class ReadableRepositories(msgspec.Struct, frozen=True):
    """A person at GitHub, and those of the stored repositories that they may read."""

    login: str
    repositories: frozenset[str]


class _Grant(msgspec.Struct, frozen=True):
    """What GitHub gives for a code: a token, which goes into a header later, or an error."""

    access_token: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{0,1000}$")] = ""
    error: str = ""


class _Node(msgspec.Struct, frozen=True, rename="camel"):
    """The person, or a repository."""

    login: Annotated[str, msgspec.Meta(max_length=100)] = ""
    database_id: int | None = None


class _Answer(msgspec.Struct, frozen=True):
    """The person and the repositories by their places in the question."""

    data: dict[str, _Node | None] | None = None


class TokenEndedError(Exception):
    """GitHub does not accept the person's token any more."""


class GitHubOAuth:
    """One GitHub; `client` gives the App's client id and secret as they are now."""

    def __init__(
        self,
        addresses: GitHubAddresses,
        client: Callable[[], tuple[str, str]],
        http: httpx.AsyncClient,
    ) -> None:
        self._addresses, self._client, self._http = addresses, client, http

    def address(self, flow: Flow, redirect: str) -> str:
        """Where to send the browser."""
        name, _ = self._client()
        query = {"client_id": name, "redirect_uri": redirect, "state": flow.state}
        return f"{self._addresses.web}/login/oauth/authorize?{urlencode(query | challenge(flow))}"

    async def token(self, code: str, flow: Flow, redirect: str) -> str:
        """The person's token for a code, which works once. Raises SignInError."""
        name, secret = self._client()
        form = {
            "client_id": name,
            "client_secret": secret,
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": flow.verifier,
        }
        url = f"{self._addresses.web}/login/oauth/access_token"
        grant = decoded(await ask(self._http, "POST", url, data=form, headers=_JSON), _Grant)
        if not grant.access_token:
            raise SignInError(f"GitHub refuses: {grant.error[:100] or 'no token in its answer'}")
        return grant.access_token

    async def readable(self, token: str, known: KnownRepositories) -> ReadableRepositories:
        """Who the person is, and what of `known` they may read: under the same number, if it is
        known, so that a new repository of an old name shows nothing of the old one.

        Raises SignInError if GitHub does not tell, TokenEndedError if the token is not valid.
        """
        names = [name for name in known if _NAME.fullmatch(name)]
        login, readable = "", set()
        for start in range(0, max(1, len(names)), _AT_ONCE):
            batch = names[start : start + _AT_ONCE]
            login, nodes = await self._query(token, batch)
            for place, name in enumerate(batch):
                node = nodes.get(f"r{place}")
                number = None if node is None else node.database_id
                if number is not None and known[name] in (None, number):
                    readable.add(name)
        return ReadableRepositories(login, frozenset(readable))

    async def revoke(self, token: str) -> None:
        """End a token of this App. Raises SignInError if GitHub does not answer."""
        name, secret = self._client()
        url = f"{self._addresses.rest}/applications/{name}/token"
        await ask(self._http, "DELETE", url, auth=(name, secret), json={"access_token": token})

    async def _query(self, token: str, names: Sequence[str]) -> tuple[str, dict[str, _Node | None]]:
        """The person's login, and the repositories. One that they may not read is None."""
        query, variables = _question(names)
        answer = await ask(
            self._http,
            "POST",
            self._addresses.graphql,
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        )
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise TokenEndedError
        nodes = decoded(answer, _Answer).data or {}
        viewer = nodes.get("viewer")
        if viewer is None or not viewer.login:
            raise SignInError("GitHub does not tell what you may read: try again", status=503)
        return viewer.login, nodes


def _question(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A GraphQL query for the person and these repositories, and its variables."""
    variables: dict[str, str] = {}
    fields = []
    for place, name in enumerate(names):
        variables[f"o{place}"], variables[f"n{place}"] = name.split("/")
        fields.append(f"r{place}: repository(owner: $o{place}, name: $n{place}) {{ databaseId }}")
    declared = ", ".join(f"${name}: String!" for name in variables)
    head = f"query Readable({declared})" if declared else "query Readable"
    return f"{head} {{ viewer {{ login }} {' '.join(fields)} }}", variables
