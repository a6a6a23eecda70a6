"""Which messages merge a pull, and what the record keeps of people."""

from datetime import UTC, datetime, timedelta

import pytest

from pullrisk.fetch.git.log import Commit, OwnCommits
from pullrisk.fetch.git.messages import Merge
from pullrisk.fetch.git.pulls import pull_of
from pullrisk.pulls.record import ChangedFile, Pull

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def commit(message: str, *, name: str = "Ann", email: str = "ann@x.org") -> Commit:
    return Commit("c" * 40, ("p" * 40,), name, email, NOON, NOON, message)


def record(
    made: Commit,
    *,
    title: str = "x",
    body: str = "",
    own: OwnCommits | None = None,
    files: tuple[ChangedFile, ...] | None = (),
) -> Pull:
    merge = Merge(1, title, body)
    return pull_of(merge, made, own, files=files, merged_at=NOON, repository="o/r", salt=b"s")


@pytest.mark.parametrize(
    ("name", "email", "bot"),
    [
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", True),
        ("Renovate Bot", "x@y.org", True),
        ("renovate", "x@y.org", True),
        ("x", "bot@renovateapp.com", True),
        ("k8s-ci-bot", "x@y.org", True),
        ("Abbot", "abbot@y.org", False),
        ("", "", False),
    ],
)
def test_bots_are_known_by_name_or_address(name: str, email: str, bot: bool) -> None:
    made = commit("x (#1)", name=name, email=email)
    assert record(made).bot is bot


def test_no_address_is_kept() -> None:
    body = "Signed-off-by: Ann <ann.x+y@mail.x.org>, 1+d[bot]@users.noreply.github.com; a@b, @ann"
    made = pull_of(
        Merge(1, "by ann@x.org", body),
        commit(""),
        None,
        merged_at=NOON,
        repository="o/r",
        salt=b"s",
    )
    assert made.title == "by <email>"
    assert made.body == "Signed-off-by: Ann <<email>>, <email>; a@b, @ann"
    assert made.author is not None
    assert made.author.startswith("author-")


def test_unknown_line_counts_stay_unknown_and_no_files_are_no_lines() -> None:
    made = record(commit(""), files=(ChangedFile("a", "added"),))
    assert (made.additions, made.deletions, made.changed_files) == (None, None, 1)
    made = record(commit(""))
    assert (made.additions, made.deletions, made.changed_files) == (0, 0, 0)


def test_files_that_cannot_be_read_are_unknown() -> None:
    made = record(commit(""), files=None)
    assert (made.files, made.additions, made.deletions, made.changed_files) == (None,) * 4


def test_a_pull_is_never_opened_after_its_merge() -> None:
    late = Commit("c", (), "", "", NOON + timedelta(days=1), NOON, "")
    own = OwnCommits()
    own.add(late)
    assert record(late).created_at == record(late, own=own).created_at == NOON
