import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.cli.app import COMMANDS
from support.processes import PATIENCE, PULLRISK, until
from support.repositories import git

RUN = "import sys; from pullrisk.cli import main; sys.exit(main())"
HEED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""A shell starts what it runs in the background without Ctrl-C; so may who runs these tests."""
PULL = (
    '{"number":%d,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z",'
    '"merged_at":"2024-01-02T00:00:00Z","closed_at":"2024-01-02T00:00:00Z","title":"t",'
    '"base":{"repo":{"full_name":"o/r"}},"files":[]}\n'
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, named by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command line in a process of its own."""
    return subprocess.run(
        [*PULLRISK, *arguments],
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
    )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("PULLRISK_")} | dict(variables)


def test_help_imports_no_heavy_library_and_no_command() -> None:
    heavy = ["jax", "mlflow", "pyarrow", "deltalake", "sklearn", "pandas", "onnxruntime"]
    heavy += ["numpy", "pydantic", "jinja2"]
    heavy += [f"pullrisk.cli.commands.{name}" for name in COMMANDS]
    code = f"import sys; from pullrisk.cli import main; main(['--help']); print({heavy}.__len__(), "
    code += f"[name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == f"{len(heavy)} []"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"pullrisk {name}" in shown
    assert "Examples" in shown or "Commands" in shown


def test_a_typing_error_names_the_command_that_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["prepocess"]) == 2
    assert "preprocess" in capsys.readouterr().err


def test_an_unknown_option_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--fiel", "x"]) == 2
    assert "--file" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pullrisk {version('pullrisk')}\n"


def test_a_wrong_setting_exits_with_3(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_WORKRS", "2")
    assert main(["preprocess"]) == 3
    told = capsys.readouterr().err
    assert told == (
        "error: unknown environment variable: PULLRISK_WORKRS\n  did you mean PULLRISK_WORKERS?\n"
    )


def test_a_missing_file_exits_with_4(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--file", "nowhere.jsonl"]) == 4
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_a_store_that_is_no_database_exits_with_5(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "pulls.sqlite").write_bytes(b"not a database, not at all" * 100)
    assert main(["score"]) == 5
    assert "pulls.sqlite" in capsys.readouterr().err


def test_a_lake_of_another_program_exits_with_6(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    write_deltalake(str(home / "lake" / "features"), pa.table({"a": [1]}))
    assert main(["train", "--quiet"]) == 6
    assert "another program" in capsys.readouterr().err


def test_a_missing_model_exits_with_7(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pulls.jsonl").write_text(PULL % 1)
    assert main(["score", "--file", "pulls.jsonl", "--model", "gone.onnx"]) == 7
    assert "pullrisk train" in capsys.readouterr().err


def test_an_empty_store_exits_with_8_and_says_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score"]) == 8
    assert "run `pullrisk fetch` first" in capsys.readouterr().err
    assert main(["train"]) == 8
    assert "run `pullrisk preprocess`" in capsys.readouterr().err


@pytest.mark.parametrize("reference", ["o/r", "o/r#0", "#3", "o/r#x", "a/b/c#1"])
def test_a_reference_that_names_no_pull_request_is_refused(
    reference: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", reference]) == 4
    assert "owner/name#number" in capsys.readouterr().err


def test_a_pull_request_that_is_not_stored_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "o/r#5"]) == 4
    assert "o/r#5 is not in the store" in capsys.readouterr().err


def test_a_defect_is_told_in_two_lines_unless_the_traceback_is_wanted(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**given: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("pullrisk.wiring.session.load", fail)
    assert main(["score"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: unexpected ZeroDivisionError: by design\n")
    assert "Traceback" not in told
    monkeypatch.setenv("PULLRISK_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["score"])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("malloc of size 64 failed"),
        ImportError("/lib/one.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_no_defect(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(**given: object) -> None:
        raise error

    monkeypatch.setattr("pullrisk.wiring.session.load", fail)
    assert main(["score"]) == 1
    assert capfd.readouterr().err.startswith("error: there is too little memory\n")


def test_one_of_files_and_clone_has_to_be_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch"]) == 2
    assert main(["fetch", "--file", "a", "--git", "b"]) == 2
    assert "--file" in capsys.readouterr().err


def test_fetch_says_what_it_read_as_text_and_as_json(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    (tmp_path / "a.jsonl").write_text(PULL % 1 + PULL % 2)
    (tmp_path / "b.jsonl").write_text(PULL % 2 + "{broken\n" + PULL % 3)
    assert main(["fetch", "--file", "a.jsonl"]) == 0
    told = capsys.readouterr()
    assert told.out == "2 pull requests read, 2 new, 0 updated, 0 already there\n"
    assert "a.jsonl" in told.err
    assert main(["fetch", "--skip-bad-lines", "--file", "b.jsonl", "a.jsonl", "--json", "-q"]) == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert (report["read"], report["written"]["inserted"], report["bad"]) == (2, 1, 1)
    assert told.err == ""


def test_a_clone_becomes_pull_requests(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q", "-b", "main")
    git(clone, "commit", "-q", "--allow-empty", "-m", "Start")
    git(clone, "commit", "-q", "--allow-empty", "-m", "Add a thing (#7)")
    assert main(["fetch", "--git", str(clone), "--repository", "o/r", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("1 pull requests read from main, 1 new")
    assert (home / "salt").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_says_so_and_exits_with_130(
    number: signal.Signals, tmp_path: Path
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", HEED + RUN, "fetch", "--file", "-"],
        env=environment({"PULLRISK_HOME": str(tmp_path)}),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None
    assert running.stderr is not None
    with running.stdin, running.stderr:
        running.stdin.write(PULL % 1)
        running.stdin.flush()
        until(lambda: reads_on(running))
        running.send_signal(number)
        assert running.wait(PATIENCE) == 130  # its input has not ended: only the signal ends it
        told = running.stderr.read()
    assert told.endswith("stopped; run the same command again to continue\n")


def reads_on(running: "subprocess.Popen[str]") -> bool:
    """Whether the process has drained the pipe and waits for more: it is inside the command."""
    import fcntl
    import struct
    import termios

    import psutil

    assert running.stdin is not None
    waiting = fcntl.ioctl(running.stdin.fileno(), termios.FIONREAD, struct.pack("i", 0))
    drained = struct.unpack("i", waiting)[0] == 0
    return drained and bool(psutil.Process(running.pid).status() == psutil.STATUS_SLEEPING)


def test_a_reader_that_goes_away_is_no_error() -> None:
    running = subprocess.Popen(
        [*PULLRISK, "doctor", "--json"],
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    with running.stderr:
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait(PATIENCE)


def test_the_shell_is_told_commands_and_options() -> None:
    words = {"COMP_WORDS": "pullrisk sc", "COMP_CWORD": "1", "_PULLRISK_COMPLETE": "complete_bash"}
    assert process(**words).stdout.split() == ["score"]
    words |= {"COMP_WORDS": "pullrisk score --by", "COMP_CWORD": "2"}
    assert process(**words).stdout.split() == ["--by-risk"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_through_our_variable(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    assert "_PULLRISK_COMPLETE" in capsys.readouterr().out


def test_a_store_of_a_newer_version_is_left_alone(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pulls.jsonl").write_text(PULL % 1)
    assert main(["fetch", "-q", "--file", "pulls.jsonl"]) == 0
    with sqlite3.connect(home / "pulls.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert main(["fetch", "-q", "--file", "pulls.jsonl"]) == 5
    assert "upgrade pullrisk" in capsys.readouterr().err
