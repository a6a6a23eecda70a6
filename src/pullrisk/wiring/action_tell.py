"""The last step of the Action's job: the summary, what is published in the pull, the job's end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import stamina.instrumentation

from pullrisk.action import event, relay
from pullrisk.action.event import parse_run
from pullrisk.action.runner import read_bounded
from pullrisk.errors import InputError, PullriskError
from pullrisk.fetch.github.client import connection
from pullrisk.fetch.github.credentials import Token
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.failures import Failure, Forbidden, NotFound, Unauthorized
from pullrisk.publish import change, render, result
from pullrisk.publish.api import Api
from pullrisk.publish.publisher import Publisher
from pullrisk.publish.result import Result
from pullrisk.repository_config.options import DEFAULTS, RepositoryConfig
from pullrisk.repository_config.rules import reaches
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


def tell(job: ActionJob) -> bool:
    """Write the summary, and publish as configured; returns whether the job has to fail.

    Nothing that goes wrong on the way to GitHub is an error. Raises InputError for an artifact
    that is not its run's.
    """
    if job.is_relay:
        _relay(job)
        return False
    if not job.result_path.is_file():
        return False
    found = result.decode(read_bounded(job.result_path, result.MOST_BYTES))
    config, before = _config(job), _told_before(job)
    _publish(job, found, config, before)
    job.runner.summary(render.summary(found, _changes(before, found)))
    job.told_folder.mkdir(parents=True, exist_ok=True)
    (job.told_folder / "told.txt").write_text(change.encode(change.snapshot_of(found)))
    if not reaches(found.band, config.fail_on):
        return False
    job.runner.annotate("error", f"the risk is {found.band}, and fail-on is {config.fail_on}")
    return True


def _config(job: ActionJob) -> RepositoryConfig:
    try:
        return job.config
    except PullriskError:  # the step before has said why
        return job.inputs.over(DEFAULTS)


def _told_before(job: ActionJob) -> change.Snapshot | None:
    """What the run before told, from its cache."""
    try:
        data = read_bounded(job.told_folder / "told.txt", change.MOST_BYTES)
        return change.decode(data.decode())
    except (InputError, UnicodeDecodeError):
        return None


def _changes(before: change.Snapshot | None, found: Result) -> list[str]:
    return [] if before is None else change.sentences(before, change.snapshot_of(found))


def _publish(
    job: ActionJob, found: Result, config: RepositoryConfig, before: change.Snapshot | None
) -> None:
    """Publish as configured; what fails is told, and ends nothing."""

    async def work(publisher: Publisher) -> None:
        subject = f"action:{job.event.repository_id}:{found.number}"
        await publisher.publish(found, config, subject=subject, before=before)

    if config.comment == "off" and config.labels is None and not config.check_run:
        return
    try:
        _with_publisher(job, found.repository, work)
    except PullriskError as error:
        job.runner.annotate("warning", f"the score is in the summary only: {error}")


def _relay(job: ActionJob) -> None:
    """Tell what another run found. Raises InputError for an artifact that is not its own."""
    run = parse_run(job.runner.event(event.MOST_BYTES))
    if job.inputs.artifact is None:
        raise InputError("the input artifact is missing: name the folder of the result")
    found = relay.read_artifact(job.inputs.artifact, run, server=job.server)

    async def work(publisher: Publisher) -> None:
        pull = await relay.find_pull(publisher.api, run)
        if pull is None:
            job.runner.say("nothing is posted: the pull is closed, or was pushed to since")
            return
        config, notices = await publisher.read_config(pull.base.ref)
        for notice in notices:
            job.runner.annotate("notice", notice)
        await publisher.publish(
            relay.for_pull(found, pull),
            job.inputs.over(config),
            subject=f"action:{run.repository_id}:{pull.number}",
            relayed=run.head_repository != run.repository,
        )

    _with_publisher(job, run.repository, work)


def _with_publisher(
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
