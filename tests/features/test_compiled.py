"""The fold compiled to C gives the rows and histories of the Python that it was made from."""

import gzip
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from support.sample import sample_file

ROOT = Path(__file__).resolve().parents[2]
_REPLAY = """
import sys
from hashlib import sha256
from pathlib import Path
from pullrisk.features import COMPILED, RepositoryHistory
from pullrisk.features.replay import replay
from pullrisk.pulls.record_json import decode_line

pulls = [decode_line(line) for line in Path(sys.argv[1]).read_bytes().splitlines()]
history, digest = RepositoryHistory(pulls[0].repository), sha256()
if sys.argv[2] != "-":
    history = RepositoryHistory.load(Path(sys.argv[2]).read_bytes())
for block in replay(history, pulls):
    digest.update(block.matrix.tobytes() + repr((block.links, block.texts)).encode())
Path(sys.argv[3]).write_bytes(history.save())
print(COMPILED, digest.hexdigest())
"""


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed: apt-get install gcc")
    folder = tmp_path_factory.mktemp("fold")
    # C means the same at every level of optimisation, and most of the time is the compiler's.
    quick = folder / "cc"
    quick.write_text('#!/bin/sh\nexec cc "$@" -O0\n')
    quick.chmod(0o755)
    environment = os.environ | {"CC": str(quick)}
    command = [sys.executable, str(ROOT / "hatch_build.py"), str(folder)]
    subprocess.run(command, env=environment, check=True)
    return folder / "src"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with gzip.open(sample_file("rust-lang/cargo")) as sample:
        lines = list(islice(sample, 3_000))
    folder = tmp_path_factory.mktemp("events")
    early, late = folder / "early.jsonl", folder / "late.jsonl"
    early.write_bytes(b"".join(lines[:2_000]))
    late.write_bytes(b"".join(lines[2_000:]))
    return early, late


def _replayed(source: Path, pulls: Path, *, before: str = "-", after: Path) -> list[str]:
    command = [sys.executable, "-c", _REPLAY, str(pulls), before, str(after)]
    ran = subprocess.run(
        command, env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


def test_the_compiled_fold_gives_the_same_rows_links_and_saved_history(
    fold: Path, events: tuple[Path, Path], tmp_path: Path
) -> None:
    early, _ = events
    plain = _replayed(ROOT / "src", early, after=tmp_path / "plain")
    fast = _replayed(fold, early, after=tmp_path / "fast")
    assert (plain[0], fast[0]) == ("False", "True")
    assert plain[1] == fast[1]
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "fast").read_bytes()


def test_the_compiled_fold_goes_on_from_a_history_that_python_saved(
    fold: Path, events: tuple[Path, Path], tmp_path: Path
) -> None:
    early, late = events
    saved = tmp_path / "early"
    _replayed(ROOT / "src", early, after=saved)
    plain = _replayed(ROOT / "src", late, before=str(saved), after=tmp_path / "plain")
    fast = _replayed(fold, late, before=str(saved), after=tmp_path / "fast")
    assert plain[1] == fast[1]
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "fast").read_bytes()
