"""The few calls of GitHub's REST API that tell a pull its score: comments, labels, contents."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import stamina
import stamina.instrumentation

from pullrisk.errors import PullriskError, SettingsError

TIMEOUT: Final = httpx.Timeout(20.0, connect=10.0)
ATTEMPTS: Final = 4
MOST_PAGES: Final = 30
"""Pages of 100 that are read of one list."""
MOST_BYTES: Final = 20_000_000
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_VERSION: Final = "2022-11-28"
T = TypeVar("T")


class ApiError(PullriskError):
    """GitHub refused a call or cannot be reached; `status` is None without an answer."""

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class _MomentaryError(Exception):
    """A failure that may be gone the next time."""


class Api:
    """One repository on one GitHub, asked with one token. Close it at the end.

    `pace` is a factor of the waits between attempts, for tests. Raises SettingsError for an
    address that would send the token unencrypted.
    """

    def __init__(self, url: str, repository: str, token: str, *, pace: float = 1.0) -> None:
        parts = urlsplit(url)
        is_local = parts.scheme == "http" and parts.hostname in _LOCAL
        if not parts.hostname or not (parts.scheme == "https" or is_local):
            raise SettingsError(
                "GITHUB_API_URL would send the token unencrypted: only https:// is accepted"
            )
        self._root = f"{url.rstrip('/')}/repos/{repository}"
        self._api = url.rstrip("/")
        self._pace = pace
        stamina.instrumentation.set_on_retry_hooks(())
        self._http = httpx.Client(
            timeout=TIMEOUT,
            follow_redirects=False,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "User-Agent": "pullrisk",
                "X-GitHub-Api-Version": _VERSION,
            },
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, kind: type[T], **query: str | int) -> T:
        """The answer to a GET below the repository. Raises ApiError."""
        return _decoded(self._send("GET", f"{self._root}{path}", query=query), kind)

    def pages(self, path: str, kind: type[T], **query: str | int) -> Iterator[T]:
        """The items of a list below the repository, over its pages. Raises ApiError."""
        for page in range(1, MOST_PAGES + 1):
            answer = self._send(
                "GET", f"{self._root}{path}", query={**query, "per_page": 100, "page": page}
            )
            items = _decoded(answer, list[kind])  # type: ignore[valid-type]
            yield from items
            if len(items) < 100:
                return

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> None:
        """A POST, PATCH or DELETE below the repository. Raises ApiError."""
        self._send(method, f"{self._root}{path}", body=body)

    def login(self) -> str | None:
        """The login that the token writes as; None for the token of a workflow."""
        try:
            return _decoded(self._send("GET", f"{self._api}/user"), _User).login
        except ApiError as error:
            if error.status in (401, 403, 404):
                return None
            raise

    def file(self, path: str, ref: str) -> bytes | None:
        """A file's bytes at a branch or commit; None if there is none. Raises ApiError."""
        url = f"{self._root}/contents/{quote(path)}"
        try:
            return self._send("GET", url, query={"ref": ref}, accept="application/vnd.github.raw")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        accept: str | None = None,
    ) -> bytes:
        headers = {"Accept": accept} if accept else {}
        try:
            for attempt in stamina.retry_context(
                on=_MomentaryError, attempts=ATTEMPTS, timeout=None,
                wait_initial=1.0 * self._pace, wait_max=10.0 * self._pace,
                wait_jitter=1.0 * self._pace,
            ):  # fmt: skip
                with attempt:
                    return self._once(method, url, query, body, headers)
        except _MomentaryError as failure:
            host = urlsplit(url).hostname
            raise ApiError(f"{host} cannot be reached: {failure}") from None
        raise AssertionError("unreachable")

    def _once(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | int] | None,
        body: Mapping[str, object] | None,
        headers: Mapping[str, str],
    ) -> bytes:
        """One call. Raises ApiError, or _MomentaryError for what may be gone the next time."""
        content = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._http.request(
                method, url, params=dict(query or {}), content=content, headers=dict(headers)
            )
        except httpx.TransportError as error:
            raise _MomentaryError(f"{type(error).__name__}: {error}") from None
        status = answer.status_code
        if status >= 500 or status == 429:
            raise _MomentaryError(f"HTTP {status}")
        if not 200 <= status < 300:
            message = _message(answer.content)
            if status == 403 and "rate limit" in message.lower():
                raise _MomentaryError(f"HTTP {status}: {message}")
            raise ApiError(
                f"GitHub refuses {method} {urlsplit(url).path}: HTTP {status}: {message}",
                status=status,
                hint=_HINTS.get(status),
            )
        if len(answer.content) > MOST_BYTES:
            raise ApiError(f"the answer to {method} {urlsplit(url).path} is too large")
        return answer.content


_HINTS: Final = {
    401: "the token is wrong or has expired",
    403: "the job needs `permissions: pull-requests: write`; pulls of forks never have it: see "
    "docs/action.md",
    404: "the token may not see this repository, or the pull is gone",
}


class _User(msgspec.Struct):
    login: str


class _Message(msgspec.Struct):
    message: str = ""


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise ApiError(f"GitHub's answer cannot be understood: {error}") from None


def _message(data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_Message).message[:200]
    except msgspec.MsgspecError:
        return " ".join(data[:200].decode(errors="replace").split())
