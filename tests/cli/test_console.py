"""Colours and JSON lines of whole command lines, in processes of their own."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pullrisk.cli.display.console import choose_colour, is_coloured
from support.forked import run_forked
from support.processes import PULLRISK

RUNNER = {"GITHUB_ACTIONS": "true", "CI": "true", "TTY_COMPATIBLE": "1", "TERM": "xterm"}
"""What a runner sets, and rich and typer take for a terminal."""
DECIDING = ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLORTERM")
HELP, WRONG, TABLE = ("--help",), ("fetch", "--fiel"), ("doctor", "--home", "nowhere")


def variables(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULLRISK_")}
    return {name: kept[name] for name in kept if name not in DECIDING} | RUNNER | more


def in_a_pipe(*arguments: str, **more: str) -> str:
    """Everything that a command writes, where neither stream is a terminal."""
    ran = subprocess.run(
        [*PULLRISK, *arguments], env=variables(**more), capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


def on_a_terminal(*arguments: str, **more: str) -> str:
    """Everything that a command writes, where both streams are a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PULLRISK, *arguments], env=variables(**more), stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65_536):
                written += part
        except OSError:  # how Linux tells that the other end is closed
            pass
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize("arguments", [HELP, WRONG, TABLE])
def test_no_colour_reaches_a_pipe_whatever_a_runner_sets(arguments: tuple[str, ...]) -> None:
    assert "\x1b" not in in_a_pipe(*arguments)


@pytest.mark.parametrize("arguments", [HELP, WRONG, TABLE])
def test_who_asks_for_colours_gets_them_in_a_pipe_too(arguments: tuple[str, ...]) -> None:
    assert "\x1b[" in in_a_pipe(*arguments, FORCE_COLOR="1")
    assert "\x1b[" in in_a_pipe("--color", "always", *arguments, NO_COLOR="1")


@pytest.mark.parametrize("arguments", [HELP, WRONG, TABLE])
def test_a_terminal_has_colours_unless_they_are_refused(arguments: tuple[str, ...]) -> None:
    assert "\x1b[" in on_a_terminal(*arguments)
    assert "\x1b[" not in on_a_terminal("--color=never", *arguments, FORCE_COLOR="1")
    assert "\x1b[" not in on_a_terminal(*arguments, NO_COLOR="1")


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DECIDING:
        monkeypatch.delenv(name, raising=False)
    assert not is_coloured()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert is_coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_coloured()
    choose_colour("always")
    assert is_coloured()
    choose_colour("auto")


def lines(*arguments: str, **more: str) -> list[dict[str, object]]:
    """Everything that a command writes, each line as JSON."""
    ran = run_forked(arguments, env=variables(**more))
    return [json.loads(line) for line in (ran.stdout + ran.stderr).splitlines()]


PULLS = """\
{"number":1,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z",\
"merged_at":"2024-01-02T00:00:00Z","closed_at":"2024-01-02T00:00:00Z","title":"t",\
"base":{"repo":{"full_name":"o/r"}},"files":[]}
{broken
"""


def test_every_line_is_json_where_the_settings_want_it(tmp_path: Path) -> None:
    (tmp_path / "pulls.jsonl").write_text(PULLS)
    own = {"PULLRISK_LOG_FORMAT": "json", "PULLRISK_HOME": str(tmp_path / "home")}
    fetched = lines("fetch", "--skip-bad-lines", "--file", str(tmp_path / "pulls.jsonl"), **own)
    levels = [line["level"] for line in fetched]
    assert "warning" in levels, "the line that was skipped"
    assert [line["event"] for line in fetched if "task" in line] == ["progress"]
    assert lines("preprocess", **own)[0]["repository"] == "o/r"
    assert lines("fetch", "--file", "nowhere", **own)[-1]["level"] == "error"
    assert lines("fetch", "--fiel", **own)[-1]["level"] == "error"
    assert lines("doctor", **own)
    assert isinstance(lines("store", "stats", "--json", **own)[0], list)


def test_the_file_of_settings_can_want_json_lines(tmp_path: Path) -> None:
    (tmp_path / "pullrisk.toml").write_text('log_format = "json"\n')
    (told,) = lines("train", PULLRISK_HOME=str(tmp_path))
    assert told["level"] == "error"
    assert lines("doctor", PULLRISK_HOME=str(tmp_path))


def test_pythons_own_warnings_and_logs_are_json_lines_too() -> None:
    code = (
        "import logging, warnings; from pullrisk.cli.display.log import write_json_lines; "
        "write_json_lines(True); logging.getLogger('a').warning('secrets are not fresh'); "
        "warnings.warn('old')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=variables(), capture_output=True, text=True, check=True
    )
    logged, warned = map(json.loads, ran.stderr.splitlines())
    assert (logged["event"], logged["logger"]) == ("secrets are not fresh", "a")
    assert "old" in str(warned["event"])
