"""Folders of folded clones: what fits is used, what does not is thrown away."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from pullrisk.wiring import clone_cache
from pullrisk.wiring.clone_cache import FOLDER, MARK, CachedClone, Identity, cached_clones
from support.processes import PATIENCE

MADE_BY = Identity(
    repository="acme/shop", path="/src/shop", ref="HEAD", version="1", schema="ab", reader="2",
    salt="cd",
)  # fmt: skip


def opened(
    home: Path, head: str = "b2", identity: Identity = MADE_BY, *, descends: bool = True
) -> CachedClone | None:
    return CachedClone.open(home, identity, head, descends=lambda _: descends)


def fold(home: Path, head: str = "b2", identity: Identity = MADE_BY) -> Path:
    """A folder that was sealed with one file in it."""
    clone = opened(home, head, identity)
    assert clone is not None
    assert not clone.complete
    (clone.path / "lake").mkdir(exist_ok=True)
    (clone.path / "lake" / "rows").write_text(head)
    clone.seal()
    clone.close()
    return clone.path


def test_what_was_sealed_is_used_again(tmp_path: Path) -> None:
    path = fold(tmp_path)
    clone = opened(tmp_path)
    assert clone is not None
    assert clone.complete
    assert clone.path == path
    clone.close()
    assert (path / "lake" / "rows").exists()


def test_a_later_commit_goes_on_from_what_is_there_alone(tmp_path: Path) -> None:
    fold(tmp_path, "a1")
    clone = opened(tmp_path, "b2")
    assert clone is not None
    assert not clone.complete
    assert (clone.path / "lake" / "rows").read_text() == "a1"
    assert not (clone.path / MARK).exists(), "a run that is killed here must not be trusted"
    clone.seal()
    clone.close()


def damage(path: Path) -> None:
    (path / "lake" / "rows").write_text("c3")


def cut_mark(path: Path) -> None:
    (path / MARK).write_bytes((path / MARK).read_bytes()[:40])


def lose_file(path: Path) -> None:
    (path / "lake" / "rows").unlink()


def lose_mark(path: Path) -> None:
    (path / MARK).unlink()


def add_file(path: Path) -> None:
    (path / "lake" / "more").write_text("of a run that was killed")


@pytest.mark.parametrize("how", [damage, cut_mark, lose_file, lose_mark, add_file])
def test_what_is_not_as_its_mark_says_is_thrown_away(
    tmp_path: Path, how: Callable[[Path], None]
) -> None:
    how(fold(tmp_path))
    clone = opened(tmp_path)
    assert clone is not None
    assert not clone.complete
    assert list(clone.path.iterdir()) == []
    clone.close()


@pytest.mark.parametrize("field", ["version", "schema", "salt", "reader"])
def test_what_another_version_or_salt_made_is_thrown_away(tmp_path: Path, field: str) -> None:
    fold(tmp_path)
    other = msgspec.structs.replace(MADE_BY, **{field: "other"})
    clone = opened(tmp_path, identity=other)
    assert clone is not None
    assert list(clone.path.iterdir()) == []
    clone.close()


@pytest.mark.parametrize("field", ["repository", "path", "ref"])
def test_another_clone_name_or_branch_has_a_folder_of_its_own(tmp_path: Path, field: str) -> None:
    path = fold(tmp_path)
    clone = opened(tmp_path, identity=msgspec.structs.replace(MADE_BY, **{field: "x/y"}))
    assert clone is not None
    assert clone.path != path
    clone.close()


def test_a_rewritten_branch_is_thrown_away(tmp_path: Path) -> None:
    fold(tmp_path, "a1")
    clone = opened(tmp_path, "b2", descends=False)
    assert clone is not None
    assert list(clone.path.iterdir()) == []
    clone.close()


def test_a_fold_that_fails_leaves_nothing(tmp_path: Path) -> None:
    clone = opened(tmp_path)
    assert clone is not None
    clone.close()
    assert not clone.path.exists()


def test_readers_share_and_a_writer_does_not_disturb_them(tmp_path: Path) -> None:
    fold(tmp_path, "a1")
    first, second = opened(tmp_path, "a1"), opened(tmp_path, "a1")
    assert first is not None
    assert second is not None
    assert first.complete
    assert second.complete
    assert opened(tmp_path, "b2") is None, "it has to work elsewhere"
    assert (first.path / "lake" / "rows").exists()
    first.close()
    second.close()
    later = opened(tmp_path, "b2")
    assert later is not None
    later.close()


FOLD_SLOWLY = """
import sys
from pathlib import Path
from pullrisk.wiring.clone_cache import Identity, CachedClone
import msgspec
identity = msgspec.json.decode(sys.argv[2], type=Identity)
clone = CachedClone.open(Path(sys.argv[1]), identity, "b2", descends=lambda _: True)
(clone.path / "half").write_text("x")
print("writing", flush=True)
sys.stdin.readline()
clone.seal()
clone.close()
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of a fold until it is told to go on."""
    with subprocess.Popen(
        [sys.executable, "-c", FOLD_SLOWLY, str(tmp_path), msgspec.json.encode(MADE_BY).decode()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_waits_for_the_first_and_uses_what_that_made(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go on\n")
    writer.stdin.flush()
    clone = opened(tmp_path)
    assert clone is not None
    assert clone.complete
    clone.close()
    assert writer.wait(PATIENCE) == 0


def test_what_a_killed_process_left_is_thrown_away(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    writer.kill()
    writer.wait()
    clone = opened(tmp_path)
    assert clone is not None
    assert not clone.complete
    assert list(clone.path.iterdir()) == []
    clone.close()


def named(number: int) -> Identity:
    return msgspec.structs.replace(MADE_BY, repository=f"acme/shop{number}")


def test_the_least_recently_used_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clone_cache, "MOST_CLONES", 3)
    paths = [fold(tmp_path, identity=named(number)) for number in range(3)]
    for age, path in enumerate(paths):
        os.utime(path / MARK, (1e9 + age, 1e9 + age))
    used = opened(tmp_path, identity=named(0))
    assert used is not None
    new = fold(tmp_path, identity=named(3))
    assert {path for path, _ in cached_clones(tmp_path)} == {paths[0], paths[2], new}
    used.close()


def test_what_is_beyond_the_bytes_is_deleted_but_not_what_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clone_cache, "MOST_BYTES", 3)
    fold(tmp_path, identity=named(0))
    used = opened(tmp_path, identity=named(0))
    new = fold(tmp_path, identity=named(1))
    assert used is not None
    assert {path for path, _ in cached_clones(tmp_path)} == {used.path, new}
    used.close()
    newest = fold(tmp_path, identity=named(2))
    assert [path for path, _ in cached_clones(tmp_path)] == [newest]


def test_leftovers_of_killed_runs_are_deleted_by_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / FOLDER / "acme+gone-0123"
    (left / "lake").mkdir(parents=True)
    fold(tmp_path)
    assert not left.exists()
