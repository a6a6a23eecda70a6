"""The first steps of the Action's job: prepare the checkout and its caches, score the pull."""

from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk.action import event
from pullrisk.errors import InputError
from pullrisk.publish import result
from pullrisk.publish.result import Result
from pullrisk.repository_config.globs import PathGlobs
from pullrisk.repository_config.rules import reason_to_skip
from pullrisk.wiring.action_job import ActionJob
from pullrisk.wiring.scoring import Clone, FoldedClone

if TYPE_CHECKING:
    from pullrisk.pulls.record import Pull

MOST_MODEL: Final = 200_000_000
_QUEUED: Final = "a merge queue holds pulls that were scored when they were opened"
_PRIVILEGED: Final = (
    "pull_request_target would give a stranger's pull the repository's rights: "
    "use pull_request, and for forks the second workflow of docs/action.md"
)
_NO_PULL: Final = "the event {} concerns no pull request"


def prepare(job: ActionJob) -> None:
    """Make the checkout complete; say whether there is something to score, and which caches help.

    Raises UnscorableError if the checkout cannot be made complete.
    """
    if job.is_relay:
        job.runner.output("run", False)
        return
    reason = _reason_of_event(job) or _reason_of_config(job)
    if reason is not None:
        job.leave_out(reason)
        return
    prefix = _cache_prefix(job)
    job.runner.output("cache-path", job.session.settings.home.absolute())
    job.runner.output("cache-key", f"{prefix}{job.branches.history_commit}")
    job.runner.output("cache-prefix", prefix)
    if job.event.pull is not None:
        _output_told_keys(job, job.event.pull.number)
    job.runner.output("run", True)


def _reason_of_event(job: ActionJob) -> str | None:
    """Why there is nothing to score, as far as the event tells."""
    name = job.runner.event_name
    if name == event.MERGE_QUEUE:
        return _QUEUED
    if name == event.PRIVILEGED:
        return _PRIVILEGED
    pull = job.event.pull
    if pull is None:
        return None if job.event.pushed else _NO_PULL.format(name)
    return None if pull.event_at is None else "it is closed"


def _reason_of_config(job: ActionJob) -> str | None:
    pull = job.event.pull
    return None if pull is None else reason_to_skip(job.config, pull)


def _output_told_keys(job: ActionJob, number: int) -> None:
    """The cache of what the last run told: each run saves one of its own."""
    prefix = f"pullrisk-told-{job.event.repository_id}-{number}-"
    run = job.runner.variable("GITHUB_RUN_ID", "0")
    attempt = job.runner.variable("GITHUB_RUN_ATTEMPT", "1")
    job.runner.output("told-path", job.told_folder)
    job.runner.output("told-key", f"{prefix}{run}-{attempt}")
    job.runner.output("told-prefix", prefix)


def _cache_prefix(job: ActionJob) -> str:
    """Begins the key of every cache that a history of this branch can go on from."""
    from pullrisk import __version__
    from pullrisk.features import SCHEMA_HASH
    from pullrisk.fetch.git.fetch import READER

    made_by = (__version__, SCHEMA_HASH, READER, job.branches.history, job.config.exclude)
    digest = blake2b(repr(made_by).encode(), digest_size=8).hexdigest()
    return f"pullrisk-{job.event.repository_id}-{digest}-"


def score(job: ActionJob) -> None:
    """Score the pull of the event, or bring the history up to date after a push.

    Raises UnscorableError and the errors of scoring a clone.
    """
    clone = Clone(
        path=job.inputs.checkout,
        repository=job.event.repository,
        ref=job.branches.history,
        excluded=PathGlobs(job.config.exclude),
    )
    if job.event.pull is not None:
        job.store(_scored(job, job.event.pull, clone))
        return
    with FoldedClone(job.session, clone) as folded:
        job.runner.say(f"the history of {folded.repository} is up to date")


def _scored(job: ActionJob, pull: "Pull", clone: Clone) -> Result:
    from pullrisk.wiring.checking import brief_open_pull

    brief = brief_open_pull(
        job.session,
        clone,
        pull,
        config=job.config,
        model=_model(job),
        now=datetime.now(UTC),
    )
    return job.result(pull, brief=result.bounded(brief))


def _model(job: ActionJob) -> str | None:
    """The model to score with: a file outside the checkout, or one of the base branch."""
    name = job.inputs.model
    if name is None or Path(name).is_absolute() or name == "general":
        return name
    data = job.git.contents(f"{job.branches.base}:{name}", most=MOST_MODEL)
    if data is None:
        raise InputError(
            f"model: there is no {name} on the base branch",
            hint="name a file of the base branch, or the absolute path of a downloaded one",
        )
    path = job.folder / "model.onnx"
    path.write_bytes(data)
    return str(path)
