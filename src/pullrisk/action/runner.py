"""The runner of GitHub Actions as a program meets it: variables, files, and lines on its log."""

import os
import secrets
from pathlib import Path
from typing import Final, Literal

from pullrisk.errors import InputError, SettingsError
from pullrisk.redaction import REDACTOR

MOST_SUMMARY: Final = 900_000
"""Bytes of a job summary; GitHub drops one of more than 1 MiB."""
MOST_OUTPUT: Final = 400_000
"""Characters of an output; GitHub takes 1 MB of a job's outputs together."""
_MOST_LINE: Final = 2_000
Level = Literal["notice", "warning", "error"]


class Runner:
    """What the environment says of the job; writes its outputs, summary and annotations.

    No text that a stranger wrote (a title, a path) can begin a command of the runner: whatever
    is written to the log is one line with its specials escaped.
    """

    def variable(self, name: str, default: str | None = None) -> str:
        """A variable of the runner. Raises SettingsError if it is missing and has no default."""
        value = os.environ.get(name) or default
        if value is None:
            raise SettingsError(
                f"{name} is not set",
                hint="`pullrisk action` runs in a GitHub workflow: see docs/action.md; in a clone "
                "run `pullrisk check`",
            )
        return value

    @property
    def event_name(self) -> str:
        """What happened: `pull_request`, `push`, …"""
        return self.variable("GITHUB_EVENT_NAME")

    def event(self, most: int) -> bytes:
        """The payload of the event. Raises InputError if it cannot be read or is too large."""
        path = Path(self.variable("GITHUB_EVENT_PATH"))
        return read_bounded(path, most)

    def output(self, name: str, value: object) -> None:
        """Set an output of the step; None is empty, True is `true`."""
        if value is None:
            text = ""
        elif isinstance(value, bool):
            text = str(value).lower()
        else:
            text = f"{value}"[:MOST_OUTPUT]
        mark = f"end-{secrets.token_hex(12)}"
        self._append("GITHUB_OUTPUT", f"{name}<<{mark}\n{text}\n{mark}\n")

    def summary(self, markdown: str) -> None:
        """Add to the summary of the job."""
        data = f"{markdown}\n".encode()[:MOST_SUMMARY]
        self._append("GITHUB_STEP_SUMMARY", data.decode(errors="ignore"))

    def say(self, text: str) -> None:
        """Write a line to the log."""
        print(f"pullrisk: {_one_line(text)}", flush=True)

    def annotate(self, level: Level, text: str, *, line: int | None = None) -> None:
        """Show a line above the log and on the run's page; `line` is one of the configuration."""
        from pullrisk.repository_config.options import PATH

        where = "" if line is None else f" file={PATH},line={line},title=pullrisk"
        message = _one_line(REDACTOR.text(text)).replace("%", "%25")
        print(f"::{level}{where or ' title=pullrisk'}::{message}", flush=True)

    def _append(self, variable: str, text: str) -> None:
        path = os.environ.get(variable)
        if path:
            with Path(path).open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a plain file. Raises InputError if it is none, or holds more than `most`."""
    try:
        if not path.is_file():
            raise InputError(f"{path} is no file")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise InputError(f"{path} holds more than {most} bytes")
    return data


def _one_line(text: str) -> str:
    """The text on one line, without control characters."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split())[:_MOST_LINE]
