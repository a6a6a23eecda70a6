"""The pages around signing in, as HTML that loads one style sheet of ours and no script."""

from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response

from pullrisk.serve.inflight import active_request, service_of
from pullrisk.serve.problems import TITLES, problem_of

STYLE: Final = "/sign-in/style.css"
_NOT_KEPT: Final = {"cache-control": "no-store"}


@cache
def _templates() -> Environment:
    loader = PackageLoader("pullrisk.serve.sign_in")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def page(
    name: str,
    *,
    status: int = 200,
    policy: str | None = None,
    **values: Any,  # noqa: ANN401
) -> Response[str]:
    """A template with these values, which no cache keeps; `policy` replaces the usual one."""
    text = _templates().get_template(f"{name}.html").render(values)
    headers = dict(_NOT_KEPT)
    if policy is not None:
        headers["content-security-policy"] = policy
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)


def redirect(address: str) -> Response[None]:
    """Lead the browser there by GET; no cache keeps that."""
    return Response(None, status_code=303, headers=_NOT_KEPT | {"location": address})


@cache
def style() -> str:
    """The style sheet."""
    return files("pullrisk.serve.sign_in").joinpath("style.css").read_text("utf-8")


def refuse(request: "Request[Any, Any, Any]", error: Exception) -> Response[str]:
    """The page that says why a request was refused."""
    problem = problem_of(error, active_request(request), service_of(request).log)
    answer = page(
        "message",
        status=problem.status,
        title=TITLES.get(problem.status, "Refused"),
        message=problem.detail,
        link="/",
        link_text="All pull requests",
    )
    answer.headers.update(problem.headers)
    return answer
