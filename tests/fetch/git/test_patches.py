"""Reading patches line by line from real repositories, made here with the git program."""

import zlib
from pathlib import Path

import pytest

from pullrisk.fetch.git.patches import FilePatch, Patch, read_patches
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.record import ChangedFile
from support.repositories import Repository


class Repo(Repository):
    """A repository whose commits are read as patches."""

    def patches(self) -> list[Patch]:
        shas = self.git("rev-list", "--first-parent", "--reverse", "HEAD").split()
        return list(read_patches(Git(self.path), shas))

    def last(self) -> Patch:
        return self.patches()[-1]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "r")


def spans(file: FilePatch) -> list[tuple[int, int, int, int]]:
    return [hunk[:4] for hunk in file.hunks]


def test_a_hunk_tells_where_lines_were_and_which_of_the_removed_are_code(repo: Repo) -> None:
    repo.commit({"a.py": b"import os\n\n# why\nx = 1\ny = 2\n"})
    repo.commit({"a.py": b"import os\nx = 3\ny = 2\nz = 1  # new\n\n"})

    (file,) = repo.last().files
    assert (file.path, file.previous, file.counted) == ("a.py", "a.py", True)
    assert spans(file) == [(2, 3, 2, 1), (5, 0, 4, 2)]
    assert [hunk.code for hunk in file.hunks] == [b"\x00\x00\x01", b""]
    assert [hunk.added_code for hunk in file.hunks] == [1, 1]
    counts = repo.last().counts
    assert (counts.code_added, counts.code_removed) == (2, 1)
    assert (counts.comments_removed, counts.blanks_removed, counts.blanks_added) == (1, 1, 1)
    assert (counts.hunks_added, counts.hunks_removed, counts.hunks_changed) == (1, 0, 1)


def test_contents_that_look_like_headers_are_contents(repo: Repo) -> None:
    hostile = (
        b"diff --git a/x b/x\n@@ -1 +1 @@\n-- a/x\n++ b/x\n\\ No newline at end of file\n\x01"
        + b"0" * 40
        + b"\n:100644 100644 a b M\n"
    )
    repo.commit({"a.go": hostile, "b.go": b"x\n"})
    repo.commit({"a.go": b"", "b.go": hostile})

    first, second = repo.patches()
    lines = hostile.count(b"\n")
    assert [spans(file) for file in first.files] == [[(0, 0, 1, lines)], [(0, 0, 1, 1)]]
    assert [spans(file) for file in second.files] == [[(1, lines, 0, 0)], [(1, 1, 1, lines)]]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b'quote".py', 'quote".py'),
        (b"tab\tnew\nline.py", "tab\tnew\nline.py"),
        (b" b/x b/y.py", " b/x b/y.py"),
        ("ümläut.py".encode(), "ümläut.py"),
        (b"latin\xe4.py", "latin\\xe4.py"),
        (b"back\\slash.py", "back\\slash.py"),
    ],
)
def test_every_name_is_told_as_it_is(repo: Repo, name: bytes, path: str) -> None:
    repo.commit({name: b"x = 1\n"})
    repo.commit({name: b"x = 2\n"})

    (file,) = repo.last().files
    assert (file.path, file.previous, spans(file)) == (path, path, [(1, 1, 1, 1)])


def test_line_ends_and_their_absence_do_not_move_lines(repo: Repo) -> None:
    repo.commit({"a.py": b"x = 1\r\n\r\ny = 2"})
    repo.commit({"a.py": b"x = 1\n\r\ny = 3"})

    first, second = repo.patches()
    assert spans(first.files[0]) == [(0, 0, 1, 3)]
    assert spans(second.files[0]) == [(1, 1, 1, 1), (3, 1, 3, 1)]
    assert (first.counts.code_added, first.counts.blanks_added) == (2, 1)


def test_new_removed_renamed_and_binary_files_are_told_apart(repo: Repo) -> None:
    body = b"".join(b"line_%d = 1\n" % number for number in range(20))
    repo.commit({"a.py": body, "gone.py": b"x\n", "i.bin": b"\x00\x01", "empty.py": b""})
    repo.commit(
        {"a.py": None, "d/b.py": body + b"more = 2\n", "gone.py": None, "i.bin": b"\x00\x02"}
    )

    files = {file.path: file for file in repo.last().files}
    assert {path: file.previous for path, file in files.items()} == {
        "d/b.py": "a.py",
        None: "gone.py",
        "i.bin": "i.bin",
    }
    assert spans(files["d/b.py"]) == [(20, 0, 21, 1)]
    assert [path for path, file in files.items() if file.binary] == ["i.bin"]


def test_a_changed_mode_has_no_hunks(repo: Repo) -> None:
    repo.commit({"a.sh": b"x\n", "b.py": b"x\n"})
    (repo.path / "a.sh").chmod(0o755)
    repo.commit({"b.py": b"y\n"})

    assert [spans(file) for file in repo.last().files] == [[], [(1, 1, 1, 1)]]


def test_a_file_that_becomes_a_link_is_removed_and_new(repo: Repo) -> None:
    repo.commit({"a.py": b"x\ny\n", "z.py": b"1\n"})
    (repo.path / "a.py").unlink()
    (repo.path / "a.py").symlink_to("z.py")
    repo.commit({"z.py": b"2\n"})

    assert [(file.path, file.previous, spans(file)) for file in repo.last().files] == [
        (None, "a.py", [(1, 2, 0, 0)]),
        ("a.py", None, [(0, 0, 1, 1)]),
        ("z.py", "z.py", [(1, 1, 1, 1)]),
    ]


def test_a_submodule_has_one_line_and_a_commit_without_changes_no_files(repo: Repo) -> None:
    head = repo.commit({"a.py": b"x\n"})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    repo.git("commit", "-q", "-m", "submodule")
    repo.git("commit", "-q", "--allow-empty", "-m", "nothing")

    _, second, third = repo.patches()
    (submodule,) = second.files
    assert (submodule.path, submodule.counted, spans(submodule)) == ("sub", False, [(0, 0, 1, 1)])
    assert third.files == []


def test_the_files_of_a_patch_have_their_line_counts_as_far_as_they_can_be_read(repo: Repo) -> None:
    body = b"".join(b"line_%d = 1\n" % number for number in range(20))
    two = b"x\ny\n"
    head = repo.commit({"a.py": body, "gone.md": two, "i.bin": b"\x00\x01", "l.py": two})
    (repo.path / "l.py").unlink()
    (repo.path / "l.py").symlink_to("a.py")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    repo.commit({"a.py": None, "d/b.py": body + b"x\n", "gone.md": None, "i.bin": b"\x00\x02"})
    repo.commit({"d/b.py": body.replace(b"line_3", b"line_x"), b"latin\xe4.py": b"x"})
    repo.commit({"d/b.py": b"", "e.py": body})
    repo.commit({})
    lost = repo.git("rev-parse", "HEAD~2:d/b.py")
    (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    patches = repo.patches()
    assert [patch.changes().files for patch in patches] == [
        (
            ChangedFile("a.py", "added", 20, 0),
            ChangedFile("gone.md", "added", 2, 0),
            ChangedFile("i.bin", "added"),
            ChangedFile("l.py", "added", 2, 0),
        ),
        (
            ChangedFile("d/b.py", "renamed", 1, 0, "a.py"),
            ChangedFile("gone.md", "removed", 0, 2),
            ChangedFile("i.bin", "modified"),
            ChangedFile("l.py", "changed", 1, 2),
        ),
        (ChangedFile("latin\\xe4.py", "added", 1, 0), ChangedFile("d/b.py", "modified")),
        (ChangedFile("e.py", "added", 20, 0), ChangedFile("d/b.py", "modified")),
        (),
    ]
    assert [patch.changes().unreadable for patch in patches] == [0, 0, 1, 1, 0]


def test_stand_ins_for_lost_contents_cost_only_their_own_file(repo: Repo) -> None:
    repo.commit({"a.py": b"1\n", "b.py": b"b\n", "c.py": b"1\n"})
    repo.commit({"a.py": b"2\n", "b.py": b"lost\n", "c.py": b"2\n"})
    for revision in ("HEAD", "HEAD~1"):
        lost = repo.git("rev-parse", f"{revision}:b.py")
        path = repo.path / ".git" / "objects" / lost[:2] / lost[2:]
        path.unlink()
        path.write_bytes(zlib.compress(b"blob 0\0"))

    assert [spans(file) for file in repo.last().files] == [[(1, 1, 1, 1)], [], [(1, 1, 1, 1)]]


def test_a_merge_is_what_it_changes_from_its_first_parent(repo: Repo) -> None:
    repo.commit({"a.py": b"x\n"})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit({"b.py": b"1\n2\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"a.py": b"y\n"})
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    repo.commit({"a.py": b"evil\n"})

    assert [(file.path, spans(file)) for file in repo.last().files] == [
        ("a.py", [(1, 1, 1, 1)]),
        ("b.py", [(0, 0, 1, 2)]),
    ]


def test_tests_vendored_and_unknown_files_have_hunks_but_no_counts(repo: Repo) -> None:
    names = ("tests/test_a.py", "vendor/a.go", "README.md", "a.css", "x_pb2.py")
    repo.commit(dict.fromkeys(names, b"x\n"))

    patch = repo.last()
    assert [file.counted for file in patch.files] == [False] * len(names)
    assert all(spans(file) == [(0, 0, 1, 1)] for file in patch.files)
    assert patch.counts.code_added == patch.counts.hunks_added == 0


@pytest.mark.parametrize("content", [b"x = 1\n" * 200_000, b"y" * 3_000_000 + b"\nz\n"])
def test_a_huge_file_is_read_in_pieces(repo: Repo, content: bytes) -> None:
    repo.commit({"a.py": content})
    repo.commit({"a.py": b""})

    lines = content.count(b"\n")
    first, second = repo.patches()
    assert spans(first.files[0]) == [(0, 0, 1, lines)]
    assert second.files[0].hunks[0].code == b"\x01" * lines
    assert first.counts.code_added == lines


def test_the_repositorys_own_settings_change_nothing(repo: Repo) -> None:
    repo.commit({"a.py": b"1\n2\n3\n4\n5\n"})
    repo.commit({"a.py": b"1\nx\n3\ny\n5\n"})
    plain = repo.patches()
    for key, value in {
        "diff.context": "5", "diff.interHunkContext": "9", "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true", "diff.renames": "copies", "color.ui": "always",
        "diff.wsErrorHighlight": "all", "diff.colorMoved": "zebra", "diff.external": "/bin/false",
        "diff.algorithm": "patience", "diff.relative": "true", "diff.suppressBlankEmpty": "true",
    }.items():  # fmt: skip
        repo.git("config", key, value)

    assert repo.patches() == plain


def test_an_unreadable_object_costs_only_its_file(repo: Repo) -> None:
    repo.commit({"a.py": b"1\n", "b.py": b"b\n"})
    repo.commit({"a.py": b"2\n", "b.py": b"lost\n"})
    repo.commit({"a.py": b"3\n"})
    lost = repo.git("rev-parse", "HEAD~1:b.py")
    (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    first, second, third = repo.patches()
    files = {file.path: file for file in second.files}
    assert (files["b.py"].binary, spans(files["b.py"])) == (True, [])
    assert spans(files["a.py"]) == [(1, 1, 1, 1)]
    assert [patch.unreadable for patch in (first, second, third)] == [0, 1, 0]
    assert spans(third.files[0]) == [(1, 1, 1, 1)]


def test_a_commit_of_which_nothing_can_be_read_names_its_files(repo: Repo) -> None:
    repo.commit({"a.py": b"1\n"})
    lost = repo.git("rev-parse", "HEAD:a.py")
    (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    (patch,) = repo.patches()
    assert patch.files == [FilePatch("a.py", None, "added", binary=True)]
    assert patch.unreadable == 1


def test_a_commit_whose_tree_is_lost_has_no_files(repo: Repo) -> None:
    repo.commit({"a.py": b"1\n"})
    repo.commit({"a.py": b"2\n"})
    lost = repo.git("rev-parse", "HEAD^{tree}")
    repo.commit({"c.py": b"3\n"})
    (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    assert [(len(patch.files), patch.unreadable) for patch in repo.patches()] == [
        (1, 0),
        (0, 1),
        (0, 1),
    ]
