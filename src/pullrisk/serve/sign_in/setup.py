"""`/setup`: makes the GitHub App of this service by GitHub's manifest flow, and keeps its secrets.

Only for whom nobody needs a key (loopback), or who shows an operator's key.
"""

import asyncio
import re
from typing import Any, Final, Protocol

import httpx
import msgspec
from litestar import Request, Response, Router, get, post
from pydantic import ValidationError

from pullrisk.errors import PullriskError
from pullrisk.options import SignInOptions, is_loopback
from pullrisk.serve.inflight import service_of
from pullrisk.serve.sign_in import pages
from pullrisk.serve.sign_in.app_manifest import MadeApp, exchange, form_address, manifest
from pullrisk.serve.sign_in.github import GitHubAddresses
from pullrisk.serve.sign_in.provider import SignInError
from pullrisk.serve.sign_in.routes import MOST_BYTES, flow_and_code
from pullrisk.serve.sign_in.session import CsrfGate, Flow, Sessions, session_of
from pullrisk.serve.sign_in.viewer import sign_in_first

AnyRequest = Request[Any, Any, Any]
PATH: Final = "/setup"
_ORGANIZATION: Final = re.compile(r"[A-Za-z0-9-]{0,39}")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:]+\](:\d{1,5})?")
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self' {github}"
)


class AppKeeper(Protocol):
    """Where the App's secrets are kept. Both methods may wait for a network."""

    in_vault: bool
    """Whether it needs an operator's token at Vault."""

    def check(self, token: str) -> None:
        """Raise SecretsError if this token could not keep them."""

    def keep(self, app: MadeApp, token: str) -> str:
        """Keep them; returns a sentence for the operator: where they are, and what to do next.

        Raises PullriskError or OSError if they could be kept nowhere.
        """


class Setup(msgspec.Struct, frozen=True):
    """What /setup needs: one GitHub, and somebody who keeps secrets.

    `url` is the address at which browsers reach the service, if that is configured.
    """

    addresses: GitHubAddresses
    keeper: AppKeeper
    http: httpx.AsyncClient
    sessions: Sessions
    url: str | None


def setup_router(setup: Setup) -> Router:
    """The routes; none stands in the document of the API."""

    async def offer(request: AnyRequest) -> Response[Any]:
        _refuse_others(request)
        return _offer(request, setup)

    async def prepare(request: AnyRequest) -> Response[Any]:
        _refuse_others(request)
        return await _prepare(request, setup)

    async def finish(request: AnyRequest) -> Response[Any]:
        _refuse_others(request)
        return await _finish(request, setup)

    return Router(
        PATH,
        route_handlers=[get("/")(offer), post("/")(prepare), get("/callback")(finish)],
        middleware=[setup.sessions.middleware, CsrfGate],
        exception_handlers={Exception: pages.refuse},
        include_in_schema=False,
        request_max_body_size=MOST_BYTES,
    )


def _refuse_others(request: AnyRequest) -> None:
    """Raise ProblemError for who is neither on loopback without keys, nor an operator."""
    service = service_of(request)
    if service.is_open:
        return
    admin, person = service.dependencies.admin, session_of(request.session).person
    if person is None or person.by != "key" or admin is None or not admin.holds(person.login):
        raise sign_in_first(request)


def _offer(
    request: AnyRequest, setup: Setup, *, message: str = "", status: int = 200
) -> Response[Any]:
    """The page that asks for what the manifest needs."""
    session = session_of(request.session)
    setup.sessions.keep(request, session)
    return pages.page(
        "setup",
        status=status,
        title="Make the GitHub App",
        message=message,
        csrf=session.csrf,
        address=setup.url or "",
        in_vault=setup.keeper.in_vault,
        exists=service_of(request).dependencies.webhooks is not None,
    )


async def _prepare(request: AnyRequest, setup: Setup) -> Response[Any]:
    """Check what the operator wrote, and show the form that goes to GitHub."""
    form = await request.form()
    token = str(form.get("vault_token", "")).strip()
    organization = str(form.get("organization", "")).strip()
    try:
        if not _ORGANIZATION.fullmatch(organization):
            raise SignInError("The organisation is its name on GitHub: letters, digits, hyphens.")
        hook = _checked(str(form.get("address", "")).strip())
        if setup.keeper.in_vault:
            await asyncio.to_thread(setup.keeper.check, token)
    except SignInError as error:
        return _offer(request, setup, message=error.detail, status=422)
    except PullriskError as error:
        return _offer(request, setup, message=str(error.args[0]), status=422)
    session, flow = session_of(request.session), Flow(provider="setup", vault_token=token)
    session.flow = flow
    setup.sessions.keep(request, session)
    content = manifest(hook=hook, pages=setup.url or hook, here=setup.url or _here(request))
    address = form_address(setup.addresses.web, organization, flow.state)
    return pages.page(
        "setup_create",
        policy=_POLICY.format(github=setup.addresses.web),
        title="Make the GitHub App",
        address=address,
        manifest=msgspec.json.encode(content).decode(),
    )


async def _finish(request: AnyRequest, setup: Setup) -> Response[Any]:
    """GitHub made the App: fetch its secrets, once, and keep them."""
    session = session_of(request.session)
    flow, session.flow = session.flow, None
    setup.sessions.keep(request, session)
    log = service_of(request).log
    try:
        flow, code = flow_and_code(flow, "setup", request.query_params)
        if not _CODE.fullmatch(code):
            raise SignInError("The answer holds no code: begin again.")
        app = await exchange(code, setup.addresses, setup.http)
    except SignInError as error:
        return _failed(error.detail, error.status)
    try:
        sentence = await asyncio.to_thread(setup.keeper.keep, app, flow.vault_token)
    except (PullriskError, OSError) as error:
        log.error("the secrets of the App are lost", app=app.id, error=str(error))
        lost = f"Its secrets could be kept nowhere: {error}. Delete {app.html_url} and begin again."
        return _failed(lost, 500)
    log.info("App made", app=app.id)
    return pages.page(
        "setup_done", title="The App is made", sentence=sentence, link=f"{app.html_url}"
    )


def _failed(message: str, status: int) -> Response[Any]:
    return pages.page(
        "message",
        status=status,
        title="No App was set up",
        message=message,
        link=PATH,
        link_text="Begin again",
    )


def _checked(address: str) -> str:
    """The address of the service without a path. Raises SignInError."""
    try:
        url = SignInOptions(url=address).url
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SignInError(f"The address: {reason}.") from None
    return url or ""


def _here(request: AnyRequest) -> str:
    """Where the browser is now. Raises ProblemError's kin 403 for a host that is no name."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise SignInError("The Host header is no name of a host.")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return f"{'http' if is_loopback(name.strip('[]')) else 'https'}://{host}"
