"""GitHub as the Action's job may call it: with the job's token, and a hint at each refusal."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import stamina.instrumentation

from pullrisk.errors import PullriskError
from pullrisk.fetch.github.client import connection
from pullrisk.fetch.github.credentials import Token
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.failures import Failure, Forbidden, NotFound, Unauthorized
from pullrisk.publish import render
from pullrisk.publish.api import Api
from pullrisk.publish.publisher import Publisher
from pullrisk.wiring.action_job import ActionJob

ATTEMPTS: Final = 4
"""How often a call is sent that fails for a moment."""
_API: Final = "https://api.github.com"
_WORKFLOW: Final = "github-actions[bot]"
"""Who writes with the token of a workflow."""
_HINTS: Final = {
    Unauthorized: "the token is wrong or has expired",
    Forbidden: "the job needs `permissions: pull-requests: write`, and `checks: write` for a check "
    "run; pulls of forks never have them: see docs/action.md",
    NotFound: "the token may not see this repository, or the pull is gone",
}


class _User(msgspec.Struct):
    login: str


def with_publisher(
    job: ActionJob, repository: str, work: Callable[[Publisher], Awaitable[None]]
) -> None:
    """Do the work with a publisher of the job's. Raises PullriskError if GitHub refuses a call."""
    stamina.instrumentation.set_on_retry_hooks(())  # they write to standard output

    async def run() -> None:
        async with connection() as http:
            server = endpoint(job.runner.variable("GITHUB_API_URL", _API))
            api = Api(
                http,
                server,
                Token(job.inputs.token or "", name="the job's token"),
                attempts=ATTEMPTS,
            )
            await work(
                Publisher(
                    api=api,
                    repository=repository,
                    author=lambda: _login(api),
                    foot=render.ACTION,
                    checks_by_default=False,
                )
            )

    try:
        asyncio.run(run())
    except Failure as failure:
        hint = _HINTS.get(type(failure))
        raise PullriskError(f"GitHub does not take it: {failure}", hint=hint) from None


async def _login(api: Api) -> str:
    """The login that the token writes as; that of a workflow may not ask for it."""
    try:
        return (await api.get("/user", _User)).login
    except (Unauthorized, Forbidden, NotFound):
        return _WORKFLOW
