"""The last step of the Action's job: the summary, the comment, the label, and the job's end."""

from pullrisk.action import change, event, publish, relay, render, result
from pullrisk.action.api import Api
from pullrisk.action.event import parse_run
from pullrisk.action.result import Result
from pullrisk.action.runner import read_bounded
from pullrisk.errors import InputError, PullriskError
from pullrisk.repository_config.options import DEFAULTS, PATH, RepositoryConfig
from pullrisk.repository_config.reading import ConfigError, parse
from pullrisk.wiring.action_job import ActionJob

_API = "https://api.github.com"


def tell(job: ActionJob) -> bool:
    """Write the summary, comment and label as configured; returns whether the job has to fail.

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
    (job.told_folder / "told.txt").write_text(change.hide(change.told(found)))
    if not publish.reaches(found.band, config.fail_on):
        return False
    job.runner.annotate("error", f"the risk is {found.band}, and fail-on is {config.fail_on}")
    return True


def _config(job: ActionJob) -> RepositoryConfig:
    try:
        return job.config
    except PullriskError:  # the step before has said why
        return job.inputs.over(DEFAULTS)


def _told_before(job: ActionJob) -> change.Told | None:
    """What the run before told, from its cache."""
    try:
        data = read_bounded(job.told_folder / "told.txt", change.MOST_BYTES)
        return change.reveal(data.decode())
    except (InputError, UnicodeDecodeError):
        return None


def _changes(before: change.Told | None, found: Result) -> list[str]:
    return [] if before is None else change.sentences(before, change.told(found))


def _api(job: ActionJob, repository: str) -> Api:
    return Api(job.runner.variable("GITHUB_API_URL", _API), repository, job.inputs.token or "")


def _publish(
    job: ActionJob,
    found: Result,
    config: RepositoryConfig,
    before: change.Told | None = None,
    *,
    relayed: bool = False,
) -> None:
    """Comment and label as configured; what fails is told, and ends nothing."""
    if config.comment == "off" and config.labels is None:
        return
    try:
        with _api(job, found.repository) as api:
            if config.comment != "off":
                _comment(api, found, config, before, relayed=relayed)
            if config.labels is not None:
                publish.put_labels(api, found.number, config.labels, found.band)
    except PullriskError as error:
        job.runner.annotate("warning", f"the score is in the summary only: {error}")


def _comment(
    api: Api,
    found: Result,
    config: RepositoryConfig,
    before: change.Told | None,
    *,
    relayed: bool,
) -> None:
    """Bring the comment up to date, or write one if the band asks for it."""
    existing = publish.own_comment(api, found.number)
    if existing is None and not publish.reaches(found.band, config.comment):
        return
    changes = _changes(publish.told_in(existing) or before, found)
    text = render.comment(found, changes, relayed=relayed)
    publish.put_comment(api, found.number, existing, text=text, what=change.told(found))


def _relay(job: ActionJob) -> None:
    """Tell what another run found. Raises InputError for an artifact that is not its own."""
    run = parse_run(job.runner.event(event.MOST_BYTES))
    if job.inputs.artifact is None:
        raise InputError("the input artifact is missing: name the folder of the result")
    found = relay.read_artifact(job.inputs.artifact, run, server=job.server)
    with _api(job, run.repository) as api:
        pull = relay.find_pull(api, run)
        if pull is None:
            job.runner.say("nothing is posted: the pull is closed, or was pushed to since")
            return
        config = _config_over_api(job, api, pull.base.ref)
    is_fork = run.head_repository != run.repository
    _publish(job, relay.for_pull(found, pull), config, relayed=is_fork)


def _config_over_api(job: ActionJob, api: Api, base: str) -> RepositoryConfig:
    """The configuration of the base branch, without a checkout."""
    try:
        data = api.file(PATH, base)
        config = DEFAULTS if data is None else parse(data)
    except ConfigError as error:
        config = DEFAULTS
        job.runner.annotate("notice", f"{error} - so the defaults are used")
    return job.inputs.over(config)
