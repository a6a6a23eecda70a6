"""One job of the GitHub Action: its event, its checkout, its configuration, its result.

Each step of the job is a program of its own, since the runner restores and saves caches between
them. What goes wrong is said in one line that people see, and is no failure of the job.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk.action import event
from pullrisk.action.checkout import Branches, Remote, complete, read_config
from pullrisk.action.event import Event, parse_event
from pullrisk.action.inputs import read_inputs
from pullrisk.action.runner import Runner
from pullrisk.errors import PullriskError
from pullrisk.publish import result
from pullrisk.publish.result import Result
from pullrisk.repository_config.options import DEFAULTS, RepositoryConfig
from pullrisk.repository_config.reading import ConfigError
from pullrisk.wiring.adapters import bot_names
from pullrisk.wiring.scoring import Clone
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.fetch.git.program import Git
    from pullrisk.pulls.record import Pull

GITHUB: Final = "https://github.com"
_ANSWERS: Final = ("risk", "repair", "revert", "band", "novelty")


def job_folder(runner: Runner) -> Path:
    """The folder in which the steps of a job keep what they hand on; it becomes the current one.

    No file of the checkout is then in a current folder, where settings would be looked for.
    """
    folder = Path(runner.variable("RUNNER_TEMP")) / "pullrisk"
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    return folder


class ActionJob:
    """The job that `runner` describes; `folder` is that of `job_folder`.

    Raises SettingsError for an input that has an impossible value.
    """

    def __init__(self, runner: Runner, session: Session, folder: Path) -> None:
        self.runner, self.session, self.folder = runner, session, folder
        self.inputs = read_inputs(runner)

    @cached_property
    def event(self) -> Event:
        """What happened. Raises InputError for a payload that cannot be understood."""
        data = self.runner.event(event.MOST_BYTES)
        names = bot_names(self.session.settings)
        return parse_event(self.runner.event_name, data, names=names)

    @property
    def is_relay(self) -> bool:
        """Whether the job tells what another one found."""
        return self.runner.event_name == event.RELAY

    @property
    def server(self) -> str:
        """GitHub's address."""
        return self.runner.variable("GITHUB_SERVER_URL", GITHUB)

    @property
    def told_folder(self) -> Path:
        """Where what was told is kept for the next run."""
        return self.folder / "told"

    @property
    def result_path(self) -> Path:
        """The file of the result."""
        return self.folder / result.FILE

    @cached_property
    def git(self) -> "Git":
        """The checkout. Raises InputError if there is none."""
        return Clone(path=self.inputs.checkout).git()

    @cached_property
    def branches(self) -> Branches:
        """The branches of the event in a checkout that lacks nothing. Raises UnscorableError."""
        return complete(self.git, self.event, Remote(self.server, self.inputs.token))

    @cached_property
    def config(self) -> RepositoryConfig:
        """The configuration of the base branch under the inputs; the defaults if it is wrong."""
        try:
            config = read_config(self.git, self.branches.base)
        except ConfigError as error:
            config = DEFAULTS
            self.runner.annotate("notice", error.notice, line=error.line)
        return self.inputs.over(config)

    def leave_out(self, reason: str) -> None:
        """Say why there is no score; for an event without a pull that is all."""
        self.runner.say(f"not scored: {reason}")
        self._end_without(reason)

    def fail(self, error: PullriskError) -> None:
        """Tell that there is no score, and why: where people see it, and as no failure."""
        self.runner.annotate("warning", f"not scored: {error}")
        self._end_without(str(error.args[0]))

    def _end_without(self, reason: str) -> None:
        self.runner.output("run", False)
        self.runner.output("scored", False)
        try:
            pull = self.event.pull
        except PullriskError:
            return
        if pull is not None:
            self.store(self.result(pull, reason=reason))

    def result(self, pull: "Pull", **fields: object) -> Result:
        """The result for the event's pull."""
        return Result(
            repository=self.event.repository,
            number=pull.number,
            head_sha=pull.head_sha or "0" * 40,
            **fields,  # type: ignore[arg-type]  # brief or reason
        )

    def store(self, pull_result: Result) -> None:
        """Keep the result for the next step and for an artifact, and set the outputs."""
        data = result.encode(pull_result)
        self.result_path.write_bytes(data)
        brief, output = pull_result.brief, self.runner.output
        output("scored", pull_result.scored)
        verdict = brief.verdict if brief and not pull_result.scored else None
        output("reason", pull_result.reason or verdict)
        for name in _ANSWERS:
            output(name, getattr(brief, name, None))
        output("category", brief.category.name if brief and brief.category else None)
        output("brief-json", data.decode())
        output("artifact", self.result_path)
