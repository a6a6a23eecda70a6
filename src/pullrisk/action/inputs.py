"""The Action's inputs, which go before what `.github/pullrisk.yml` says."""

from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from pullrisk.action.runner import Runner
from pullrisk.errors import SettingsError
from pullrisk.repository_config.options import FailOn, From, Labels, RepositoryConfig

NO_LABELS: Final = "off"
_Bool: TypeAlias = Literal["true", "false"]


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the workflow set; None where the configuration decides.

    `checkout` is where the repository lies, `artifact` the folder of another run's result.
    `labels` is a prefix, or `off`.
    """

    checkout: Path
    model: str | None = None
    check_run: bool | None = None
    comment: From | None = None
    labels: str | None = None
    fail_on: FailOn | None = None
    drafts: bool | None = None
    artifact: Path | None = None
    token: str | None = None

    def over(self, config: RepositoryConfig) -> RepositoryConfig:
        """The configuration with what the workflow set in its place."""
        overrides = {"check_run": self.check_run, "comment": self.comment, "fail_on": self.fail_on}
        changes: dict[str, Any] = {
            name: value for name, value in overrides.items() if value is not None
        }
        if self.labels == NO_LABELS:
            changes["labels"] = None
        elif self.labels is not None:
            changes["labels"] = replace(config.labels or Labels(), prefix=self.labels)
        if self.drafts is not None:
            changes["skip"] = replace(config.skip, drafts=not self.drafts)
        return replace(config, **changes)


def read_inputs(runner: Runner) -> Inputs:
    """The inputs as `action.yml` hands them over. Raises SettingsError for an impossible value."""
    workspace = Path(runner.variable("GITHUB_WORKSPACE", "."))
    artifact = _text(runner, "artifact")
    labels = runner.variable("INPUT_LABELS", "") or None  # blanks at its end count
    return Inputs(
        checkout=workspace / (_text(runner, "path") or "."),
        model=_text(runner, "model"),
        check_run=_bool(runner, "check-run"),
        comment=_one_of(runner, "comment", get_args(From)),
        labels=None if labels is None else labels[:40],
        fail_on=_one_of(runner, "fail-on", get_args(FailOn)),
        drafts=_bool(runner, "drafts"),
        artifact=None if artifact is None else workspace / artifact,
        token=_text(runner, "token"),
    )


def _text(runner: Runner, name: str) -> str | None:
    return runner.variable(f"INPUT_{name.upper().replace('-', '_')}", "").strip() or None


def _bool(runner: Runner, name: str) -> bool | None:
    value = _one_of(runner, name, get_args(_Bool))
    return None if value is None else value == "true"


def _one_of(runner: Runner, name: str, values: tuple[str, ...]) -> Any:  # noqa: ANN401  (of values)
    value = _text(runner, name)
    if value is not None and value not in values:
        raise SettingsError(f"{name}: {value!r:.60}", hint=f"it may be {', '.join(values)}")
    return value
