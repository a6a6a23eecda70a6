"""The lines that an open pull of a clone changes, and who wrote them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pullrisk.fetch.git import open_lines
from pullrisk.fetch.git.open_lines import with_lines
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.lines import Origin
from pullrisk.pulls.record import ChangedFile, Pull, push_number
from support.repositories import Repository

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
TEXT = b"".join(b"line_%d = 1\n" % number for number in range(20))


class Topic(Repository):
    """The branch main, on which pull 1 wrote a.py and pull 2 its fifth line; `topic` leaves it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.numbers = {self.commit({"a.py": TEXT}): 1}
        self.numbers[self.commit({"a.py": TEXT.replace(b"line_4 = 1", b"line_4 = 2")})] = 2
        self.git("checkout", "-q", "-b", "topic")
        self.text = (self.path / "a.py").read_bytes()

    def pull(self, **fields: Any) -> Pull:
        """Main goes on, and the pull of `topic` is read."""
        known: dict[str, Any] = {"head_sha": self.git("rev-parse", "topic"), **fields}
        self.git("checkout", "-q", "main")
        self.numbers[self.commit({"a.py": b"# new\n" + self.text})] = 3
        pull = Pull(repository="o/r", number=9, created_at=MOMENT, updated_at=MOMENT, **known)
        git = Git(self.path)
        return with_lines(git, pull, base=git.head("main"), numbers=self.numbers)


@pytest.fixture
def topic(tmp_path: Path) -> Topic:
    return Topic(tmp_path / "r")


def test_an_open_pull_knows_who_wrote_the_lines_that_it_removes(topic: Topic) -> None:
    topic.commit({"a.py": topic.text.replace(b"line_3 = 1\nline_4 = 2\n", b"one = 1\n")})

    lines = topic.pull().lines
    assert lines is not None
    assert (lines.code_added, lines.code_removed, lines.hunks_changed) == (1, 2, 1)
    assert lines.rewrites == (Origin(1, 1, 0), Origin(2, 1, 0))
    assert lines.neighbours == ()


@pytest.mark.parametrize(
    ("after", "neighbours"),
    [
        (b"line_4 = 2\n", {1, 2}),
        (b"line_9 = 1\n", {1}),
        (b"", {1}),
        (b"line_19 = 1\n", {1}),
    ],
    ids=["between two", "among one's", "at the top", "at the end"],
)
def test_an_insertion_knows_who_wrote_the_lines_beside_it(
    topic: Topic, after: bytes, neighbours: set[int]
) -> None:
    topic.commit({"a.py": topic.text.replace(after, after + b"new = 1\n", 1)})

    lines = topic.pull().lines
    assert lines is not None
    assert lines.rewrites == ()
    assert {origin.number for origin in lines.neighbours or ()} == neighbours


def test_files_get_their_code_lines_and_origins_their_place(topic: Topic) -> None:
    topic.commit({"a.py": topic.text + b"# more\nmore = 1\n", "b.py": b"x = 1\n"})
    files = (ChangedFile("b.py", "added"), ChangedFile("a.py"))

    pull = topic.pull(files=files)
    assert pull.files is not None
    assert [(file.code_added, file.code_removed) for file in pull.files] == [(1, 0), (1, 0)]
    assert pull.lines is not None
    assert pull.lines.neighbours == (Origin(1, 1, 1),)


def test_a_renamed_file_keeps_its_origins(topic: Topic) -> None:
    topic.commit({"a.py": None, "d/b.py": topic.text.replace(b"line_4 = 2\n", b"")})

    lines = topic.pull().lines
    assert lines is not None
    assert lines.rewrites == (Origin(2, 1, 0),)


def test_a_commit_that_no_pull_merged_is_a_push(topic: Topic) -> None:
    sha = next(sha for sha, number in topic.numbers.items() if number == 2)
    del topic.numbers[sha]
    topic.commit({"a.py": topic.text.replace(b"line_4 = 2\n", b"")})

    lines = topic.pull().lines
    assert lines is not None
    assert lines.rewrites == (Origin(push_number(sha), 1, 0),)


def test_the_base_of_a_stacked_pull_is_the_branch_below(topic: Topic) -> None:
    topic.commit({"a.py": topic.text + b"below = 1\n"})
    topic.git("branch", "below")
    topic.commit({"b.py": b"x = 1\n"})

    lines = topic.pull(base_ref="below").lines
    assert lines is not None
    assert lines.code_added == 1


def test_origins_of_very_many_files_are_unknown(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_lines, "MOST_BLAMED", 0)
    topic.commit({"a.py": b"x = 1\n"})

    lines = topic.pull().lines
    assert lines is not None
    assert (lines.rewrites, lines.neighbours, lines.code_added) == (None, None, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"head_sha": "0" * 40},
        {"head_sha": "0" * 40, "head_ref": "topic"},
        {"head_sha": None, "head_ref": "main"},
        {"merged_at": MOMENT},
    ],
    ids=["no commits", "earlier commits", "nothing that its base has not", "merged"],
)
def test_other_pulls_stay_as_they_are(topic: Topic, fields: dict[str, Any]) -> None:
    topic.commit({"b.py": b"x = 1\n"})
    pull = topic.pull(**fields)
    assert (pull.lines, pull.files) == (None, None)


def test_files_and_sizes_that_the_source_does_not_list_are_the_clone_s(topic: Topic) -> None:
    topic.commit({"a.py": topic.text + b"more = 1\n", "README.md": b"x\ny\n"})

    pull = topic.pull(additions=7)
    assert pull.files == (
        ChangedFile("README.md", "added", 2, 0),
        ChangedFile("a.py", "modified", 1, 0, None, 1, 0),
    )
    assert (pull.additions, pull.deletions, pull.changed_files) == (7, 0, 2)


@pytest.mark.parametrize("name", [b"latin\xe4.py", b"back\\xe4.py"], ids=["bytes", "as written"])
def test_origins_of_a_file_with_an_odd_name_are_known(topic: Topic, name: bytes) -> None:
    topic.git("checkout", "-q", "main")
    topic.numbers[topic.commit({name: b"x = 1\n"})] = 4
    topic.git("checkout", "-q", "-B", "topic")
    topic.commit({name: b"x = 2\n"})

    lines = topic.pull().lines
    assert lines is not None
    assert lines.rewrites == (Origin(4, 1, 0),)


def test_a_partial_clone_tells_the_files_and_no_origins(topic: Topic) -> None:
    topic.commit({"a.py": topic.text.replace(b"line_3 = 1\n", b"one = 1\n"), "b.py": b"x = 1\n"})
    topic.git("config", "remote.origin.promisor", "true")

    pull = topic.pull()
    assert pull.files is not None
    assert [(file.path, file.additions) for file in pull.files] == [("a.py", 1), ("b.py", 1)]
    assert pull.lines is not None
    assert (pull.lines.code_added, pull.lines.rewrites) == (2, None)

    lost = topic.git("rev-parse", "topic:a.py")
    (topic.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    topic.git("rm", "-q", "--cached", "a.py")
    named = Pull(
        repository="o/r", number=9, created_at=MOMENT, updated_at=MOMENT,
        head_sha=topic.git("rev-parse", "topic"),
    )  # fmt: skip
    base = topic.git("rev-parse", "main")
    pull = with_lines(Git(topic.path), named, base=base, numbers={})
    assert [(file.path, file.status) for file in pull.files or ()] == [
        ("a.py", "modified"), ("b.py", "added"),
    ]  # fmt: skip
    assert (pull.additions, pull.changed_files, pull.lines) == (None, 2, None)


def test_contents_that_cannot_be_read_leave_the_lines_unknown(topic: Topic) -> None:
    topic.commit({"a.py": b"lost\n"})
    lost = topic.git("rev-parse", "HEAD:a.py")
    topic.git("checkout", "-q", "main")  # git would read the file itself instead
    (topic.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    pull = Pull(
        repository="o/r", number=9, created_at=MOMENT, updated_at=MOMENT,
        head_sha=topic.git("rev-parse", "topic"),
    )  # fmt: skip
    base = topic.git("rev-parse", "main")
    assert with_lines(Git(topic.path), pull, base=base, numbers={}) == pull
