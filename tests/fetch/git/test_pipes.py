"""A repository with a pipe where git expects a file."""

import os
import socket
from pathlib import Path

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch.git.program import Git
from support.clones import make_clone
from support.sample import sample_pulls


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "refs/heads/main"])
def test_a_pipe_is_refused_before_git_waits_for_it(
    name: str, tmp_path: Path, *, bare: bool
) -> None:
    folder = tmp_path if bare else tmp_path / ".git"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(InputError, match=f"{name} is no file"):
        Git(tmp_path)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return make_clone(tmp_path / "clone", sample_pulls(10), origin="https://github.com/o/r.git")


@pytest.mark.parametrize(
    "name",
    ["objects/info/alternates", "objects/ab/cdef", "objects/pack/one.idx", "info/attributes"],
)
def test_one_deep_in_its_folder_is_refused_too(clone: Path, name: str) -> None:
    (clone / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(clone / ".git" / name)
    with pytest.raises(InputError, match=f"{name} is no file"):
        Git(clone)


def test_one_where_it_borrows_objects_is_refused_too(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "lent" / "pack").mkdir(parents=True)
    os.mkfifo(tmp_path / "lent" / "pack" / "one.pack")
    alternates = clone / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{tmp_path}/lent\n")
    with pytest.raises(InputError, match=r"one\.pack is no file"):
        Git(clone)


def test_the_socket_of_a_file_watcher_and_links_to_nothing_are_let_be(clone: Path) -> None:
    with socket.socket(socket.AF_UNIX) as watcher:
        watcher.bind(str(clone / ".git" / "fsmonitor--daemon.ipc"))
        (clone / ".git" / "hooks").mkdir(exist_ok=True)
        (clone / ".git" / "hooks" / "pre-push").symlink_to(os.devnull)
        (clone / ".git" / "gone").symlink_to("nowhere")
        assert Git(clone).count("main") > 0


def test_attributes_of_the_working_directory_hide_no_lines_and_block_nothing(clone: Path) -> None:
    """A branch could call its own files binary; a pipe of that name would never end."""
    options = ("-p", "--first-parent", "--format=", "-U0", "main")
    before = list(Git(clone).log(*options))
    (clone / ".gitattributes").write_text("* binary\n")
    assert list(Git(clone).log(*options)) == before
    (clone / ".gitattributes").unlink()
    os.mkfifo(clone / ".gitattributes")
    assert list(Git(clone).log(*options)) == before
    assert any(b"@@" in token for token in before)
