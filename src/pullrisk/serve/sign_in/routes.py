"""Signing in and out: by GitHub, by an OpenID Connect provider, or by an API key.

A flow's state, verifier and nonce wait in the encrypted cookie of the browser that began it, so
that nobody else can end it, and go with the first answer, so that it ends once.
"""

import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Final, Literal

from litestar import Request, Response, Router, get, post
from litestar.di import Provide
from msgspec.structs import replace

from pullrisk.errors import StoreError
from pullrisk.serve.inflight import active_request, service_of
from pullrisk.serve.keys import slow_down
from pullrisk.serve.service import Service
from pullrisk.serve.sign_in import pages
from pullrisk.serve.sign_in.access import SignIn
from pullrisk.serve.sign_in.provider import SignInError
from pullrisk.serve.sign_in.session import CsrfGate, Flow, Person, Session, Sessions, session_of
from pullrisk.serve.sign_in.viewer import SIGN_IN, Viewer, viewer_of

AnyRequest = Request[Any, Any, Any]
_PATH: Final = re.compile(r"/(?!/)[!-\[\]-~]{0,2000}")
"""A path and query of this service: no second slash and no backslash, which begin a host."""
MOST_BYTES: Final = 16_384
_CODE: Final = re.compile(r"[!-~]{1,2000}")


def sign_in_router(sessions: Sessions) -> Router:
    """All routes of signing in; none stands in the document of the API."""
    handlers = [
        get(SIGN_IN)(choose),
        get(pages.STYLE)(style),
        post(f"{SIGN_IN}/key")(by_key),
        get([f"{SIGN_IN}/github", f"{SIGN_IN}/oidc"])(begin),
        get([f"{SIGN_IN}/github/callback", f"{SIGN_IN}/oidc/callback"])(finish),
        get("/account", dependencies={"viewer": Provide(viewer_of)})(account),
        post("/sign-out")(sign_out),
    ]
    return Router(
        "/",
        route_handlers=handlers,
        middleware=[sessions.middleware, CsrfGate],
        exception_handlers={Exception: pages.refuse},
        include_in_schema=False,
        request_max_body_size=MOST_BYTES,
    )


def safe_path(text: object) -> str:
    """Where to go after signing in: a path of this service; `/` in place of anything else."""
    return text if isinstance(text, str) and _PATH.fullmatch(text) else "/"


async def style() -> Response[str]:
    """The style sheet of these pages."""
    return Response(pages.style(), media_type="text/css", headers={"cache-control": "max-age=3600"})


async def choose(request: AnyRequest) -> Response[Any]:
    """The page that offers the ways to sign in."""
    if service_of(request).is_open:
        return pages.redirect("/")
    return _offer(request, back=safe_path(request.query_params.get("back")))


async def by_key(request: AnyRequest) -> Response[Any]:
    """Sign in with an API key; an operator's opens /setup and no other page."""
    service, form = service_of(request), await request.form()
    dependencies = service.dependencies
    key = str(form.get("key", "")).strip()
    for keys in (dependencies.keys, dependencies.admin):
        name = keys.name_of(key) if keys is not None and key else None
        if name is not None:
            _sign_in(request).sessions.begin(request, Person(by="key", login=name))
            return pages.redirect(safe_path(form.get("back")))
    await slow_down(service, active_request(request))
    back = safe_path(form.get("back"))
    return _offer(request, back=back, message="This key is not valid.", status=401)


async def begin(request: AnyRequest) -> Response[Any]:
    """Lead the browser to the provider."""
    sign_in, provider = _sign_in(request), _provider(request)
    back = safe_path(request.query_params.get("back"))
    flow = Flow(provider=provider, back=back)
    try:
        if provider == "github" and sign_in.github is not None:
            address = sign_in.github.address(flow, sign_in.redirect(provider))
        elif provider == "oidc" and sign_in.oidc is not None:
            address = await sign_in.oidc.address(flow, sign_in.redirect(provider))
        else:
            raise SignInError("This service does not sign anybody in that way.", status=404)
    except SignInError as error:
        return _failed(error)
    session = session_of(request.session)
    session.flow = flow
    sign_in.sessions.keep(request, session)
    return pages.redirect(address)


async def finish(request: AnyRequest) -> Response[Any]:
    """The provider sends the browser back: with a code, once, or with the reason of a refusal."""
    sign_in, provider = _sign_in(request), _provider(request)
    session = session_of(request.session)
    flow, session.flow = session.flow, None
    sign_in.sessions.keep(request, session)
    service = service_of(request)
    try:
        flow, code = flow_and_code(flow, provider, request.query_params)
        person = await _person(sign_in, code, flow, service)
    except SignInError as error:
        service.log.warning("not signed in", by=provider, error=error.detail)
        return _failed(error)
    sign_in.sessions.begin(request, person)
    service.log.info("signed in", by=provider, login=person.login)
    return pages.redirect(flow.back)


async def account(viewer: Viewer) -> Response[Any]:
    """Who is signed in, and what they may see."""
    names = None if viewer.repositories is None else sorted(viewer.repositories)
    return pages.page(
        "account", title="Account", login=viewer.login, repositories=names, csrf=viewer.csrf
    )


async def sign_out(request: AnyRequest) -> Response[Any]:
    """End the session, here and at GitHub."""
    session = session_of(request.session)
    request.clear_session()
    if session.person is not None:
        await _sign_in(request).sign_out(session.person)
    return pages.redirect(SIGN_IN)


def flow_and_code(flow: Flow | None, provider: str, query: Mapping[str, str]) -> tuple[Flow, str]:
    """The flow that a provider answers, and the code that it sent. Raises SignInError."""
    state = query.get("state", "").encode(errors="replace")
    if flow is None or flow.provider != provider or not compare_digest(flow.state.encode(), state):
        raise SignInError("This was not begun in this browser, or is over: begin again.")
    if "error" in query:
        raise SignInError(f"It was refused: {query['error'][:100]}")
    code = query.get("code", "")
    if not _CODE.fullmatch(code):
        raise SignInError("The answer holds no code: begin again.")
    return flow, code


async def _person(sign_in: SignIn, code: str, flow: Flow, service: Service) -> Person:
    """Who the code stands for. Raises SignInError."""
    redirect = sign_in.redirect(flow.provider)
    if flow.provider == "oidc" and sign_in.oidc is not None:
        return await sign_in.oidc.person(code, flow, redirect)
    if sign_in.github is None:
        raise SignInError("This service does not sign anybody in that way.", status=404)
    token = await sign_in.github.token(code, flow, redirect)
    person = Person(by="github", login="", token=token)
    try:
        viewer = await sign_in.viewer(Session(person=person), service)
    except StoreError:
        raise SignInError("The pull store cannot be read: try again.", status=503) from None
    if viewer is None or viewer.login is None:
        raise SignInError("GitHub does not accept the token that it just gave.")
    return replace(person, login=viewer.login)


def _offer(
    request: AnyRequest, *, back: str, message: str = "", status: int = 200
) -> Response[Any]:
    """The page that offers the ways to sign in."""
    sign_in, session = _sign_in(request), session_of(request.session)
    sign_in.sessions.keep(request, session)
    return pages.page(
        "sign_in",
        status=status,
        title="Sign in",
        message=message,
        github=sign_in.github is not None,
        oidc=sign_in.oidc is not None,
        back=back,
        csrf=session.csrf,
    )


def _failed(error: SignInError) -> Response[Any]:
    return pages.page(
        "message",
        status=error.status,
        title="Not signed in",
        message=error.detail,
        link=SIGN_IN,
        link_text="Sign in",
    )


def _sign_in(request: AnyRequest) -> SignIn:
    return service_of(request).dependencies.sign_in


def _provider(request: AnyRequest) -> Literal["github", "oidc"]:
    return "oidc" if request.scope["path"].startswith(f"{SIGN_IN}/oidc") else "github"
