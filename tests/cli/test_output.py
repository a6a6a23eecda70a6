"""What reaches a terminal, a pipe, a file: no control characters, any code page, full disks."""

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from rich.text import Text

from pullrisk.cli.display.console import fail, note, say, warn
from pullrisk.cli.display.plain import escaped, plain
from pullrisk.cli.display.progress import Lines
from pullrisk.cli.display.tables import print_json, print_table
from support.processes import PULLRISK

STEERING = [
    *map(chr, [*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0)]),
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ud83d",
]
HOSTILE = "".join(f"{index}{mark}" for index, mark in enumerate(STEERING))


@pytest.mark.parametrize("character", STEERING, ids=ascii)
def test_a_character_that_steers_is_replaced_and_escaped(character: str) -> None:
    assert plain(f"a{character}b") == "a\ufffdb"
    assert escaped(f'"a{character}b"') == f'"a\\u{ord(character):04x}b"'


@pytest.mark.parametrize("text", ["a\tb\nc", "é ß 漢 שלום 🚀 👩\u200d💻", "\u00a0", ""])
def test_any_other_text_stays(text: str) -> None:
    assert plain(text) == text
    assert escaped(text) == text


def test_every_control_and_format_character_of_direction_is_known() -> None:
    for code in range(0x3000):
        kind = unicodedata.category(chr(code))
        direction = unicodedata.bidirectional(chr(code))
        if (kind == "Cc" and chr(code) not in "\t\n") or direction in (
            "LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI",
        ):  # fmt: skip
            assert plain(chr(code)) == "\ufffd", hex(code)


SHOW = {
    "say": lambda: say(HOSTILE),
    "note": lambda: note(HOSTILE),
    "warn": lambda: warn(HOSTILE),
    "fail": lambda: fail(HOSTILE, traceback=HOSTILE),
    "table": lambda: print_table(("title", "why"), [[HOSTILE, Text(HOSTILE, "red")]]),
    "JSON": lambda: print_json({HOSTILE.replace("\ud83d", ""): HOSTILE.replace("\ud83d", "")}),
    "progress": lambda: describe(),
}


def describe() -> None:
    with Lines(every=0).task(HOSTILE, total=None, unit="pulls") as task:
        task.describe(HOSTILE)
        task.advance()


@pytest.mark.parametrize("way", SHOW)
def test_nothing_that_is_shown_steers_a_terminal(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    SHOW[way]()
    shown = "".join(capsys.readouterr())
    assert "7" in shown
    assert plain(shown) == shown


PULL = {
    "number": 1,
    "title": "Ship \x1b[2J\x9b31m\u202e 🚀 é",
    "created_at": "2025-01-01T10:00:00Z",
    "updated_at": "2025-01-01T10:00:00Z",
    "user": {"login": "mara"},
    "base": {"repo": {"full_name": "acme/widget"}},
}


@pytest.fixture(scope="module")
def pull(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pull") / "pull.json"
    path.write_text(json.dumps(PULL))
    return path


def run(
    *arguments: object, out: int = subprocess.PIPE, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if key[:3] not in ("LC_", "PYT")}
    return subprocess.run(
        [*PULLRISK, *map(str, arguments)],
        stdout=out,
        stderr=subprocess.PIPE,
        env={**environment, **(variables or {})},
        check=False,
    )


CODE_PAGES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("page", CODE_PAGES)
def test_any_code_page_will_do_and_json_is_utf_8(page: str, pull: Path, tmp_path: Path) -> None:
    score = ("score", "--quiet", "--home", tmp_path, "--model", "general", "--file", pull)
    table = run(*score, variables=CODE_PAGES[page])
    assert (table.returncode, b"acme/widget#1" in table.stdout) == (0, True), table.stderr
    told = run(*score, "--json", variables=CODE_PAGES[page])
    assert json.loads(told.stdout.decode())[0]["title"] == PULL["title"]
    assert b"\x9b" not in told.stdout
    assert b"\x1b" not in table.stdout + told.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["lake", "runs", "--help"], ["--version"]])
def test_a_full_disk_is_called_that(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = run(*arguments, out=full.fileno())
    assert ended.returncode == 1
    assert b"error: the disk is full: standard output cannot be written" in ended.stderr
    assert b"Exception" not in ended.stderr


@pytest.mark.parametrize("json_wanted", [True, False])
def test_results_on_a_full_disk(pull: Path, tmp_path: Path, *, json_wanted: bool) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = run(
            *("score", "-q", "--home", tmp_path, "--model", "general", "--file", pull),
            *(["--json"] if json_wanted else []),
            out=full.fileno(),
        )
    assert ended.returncode == 1
    assert b"the disk is full: standard output cannot be written" in ended.stderr


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run("--help", out=writer)
    os.close(writer)
    assert ended.stderr == b""


@pytest.mark.parametrize("stream", [1, 2])
def test_a_closed_stream_stops_nothing(stream: int, tmp_path: Path) -> None:
    command = f"{sys.executable} -m pullrisk store counts --home {tmp_path} {stream}>&-"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert b"Traceback" not in ended.stderr
    assert ended.returncode in (0, 2, 8)


def test_a_terminal_that_knows_no_colours_gets_none() -> None:
    ours, theirs = pty.openpty()
    variables = {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "dumb"}
    ended = run("--help", out=theirs, variables=variables)
    os.close(theirs)
    shown = os.read(ours, 2**20)
    os.close(ours)
    assert ended.returncode == 0
    assert b"\x1b[" not in shown
