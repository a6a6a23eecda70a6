"""What both kinds of providers share: the refusal of a sign-in, PKCE, and calls that end."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from pullrisk.serve.problems import ProblemError
from pullrisk.serve.sign_in.session import Flow

T = TypeVar("T")
_SECONDS: Final = 10.0
_USER_AGENT: Final = {"User-Agent": "pullrisk"}


class SignInError(ProblemError):
    """A sign-in that failed: a sentence for the person, and the status of the page that says it."""

    def __init__(self, sentence: str, *, status: int = 403) -> None:
        super().__init__(status, sentence)


def open_http() -> httpx.AsyncClient:
    """The client for calls to providers: it follows no redirect and keeps no connection open.

    The other side may end an idle connection at the moment at which it is used again, and a code
    that was sent works only once, so nothing could be repeated.
    """
    once = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(
        timeout=_SECONDS, follow_redirects=False, headers=_USER_AGENT, limits=once
    )


def challenge(flow: Flow) -> dict[str, str]:
    """The parameters of PKCE (RFC 7636, S256)."""
    digest = sha256(flow.verifier.encode()).digest()
    text = urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {"code_challenge": text, "code_challenge_method": "S256"}


async def ask(http: httpx.AsyncClient, method: str, url: str, **more: Any) -> httpx.Response:  # noqa: ANN401
    """One call. Raises SignInError 503 if the provider does not answer, or fails."""
    try:
        answer = await http.request(method, url, **more)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # or no request can be made
        raise SignInError(
            f"{host_of(url)} does not answer: {type(error).__name__}", status=503
        ) from None
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise SignInError(f"{answer.url.host} answers {answer.status_code}", status=503)
    return answer


def decoded(answer: httpx.Response, kind: type[T]) -> T:
    """An answer's JSON. Raises SignInError 503 for anything else than that kind."""
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        host = host_of(str(answer.url))
        raise SignInError(f"{host} does not answer as expected", status=503) from None


def host_of(url: str) -> str:
    """The host of an address, as far as it has one."""
    try:
        return urlsplit(url).hostname or url[:100]
    except ValueError:
        return url[:100]
