"""One person is one author, by whichever name a source calls them."""

import math

import pytest

from pullrisk.features import RepositoryHistory
from pullrisk.features.knowledge import FACTS
from pullrisk.pulls.record import ChangedFile, Pull
from support.histories import after, pull, row

WORK, HOME, OTHER = "author-000000000001", "author-000000000002", "author-000000000003"
WORK_NAME, HOME_NAME = "email:000000000001", "email:000000000002"
FILE = (ChangedFile("src/core.py", "modified", 1, 1),)


def by(author: str | None, number: int, *names: str, **facts: object) -> Pull:
    return pull(number, day=number, author=author, author_names=names, files=FILE, **facts)


def test_addresses_of_one_login_are_one_person() -> None:
    history = after(by(WORK, 1, "login:mara"), by(HOME, 2, "login:mara"))
    found = row(history, by("Mara", 3))
    assert (found["author_merged"], found["author_new"], found["author_touch_share"]) == (2, 0, 1)
    assert row(history, by(WORK, 3))["author_merged"] == 2


def test_what_ties_two_names_later_heals_earlier_pulls() -> None:
    apart = [by(WORK, 1), by(OTHER, 2), by(HOME, 3), by(HOME, 4)]
    history = after(*apart, by(WORK, 5, HOME_NAME))
    found = row(RepositoryHistory.load(history.save()), by(HOME, 6))
    assert (found["author_merged"], found["author_tenure"]) == (4, 5)
    assert found["author_touch_share"] == pytest.approx(4 / 5)
    assert found["author_main_share"] == found["same_author_again"] == 1
    assert found["file_authors_max"] == 2


def test_a_failure_of_an_earlier_pull_counts_for_the_merged_author() -> None:
    undo = by(OTHER, 4, title='Revert "Change 1"', body="Reverts owner/name#1")
    history = after(by(HOME, 1), by(OTHER, 2), by(WORK, 3, HOME_NAME), undo)
    assert row(history, by(WORK, 5))["author_failures"] == 1


def test_a_pull_known_from_both_sources_ties_login_and_address() -> None:
    history = after(by(WORK, 1), by(WORK, 2), by("mara", 3, WORK_NAME))
    assert row(history, by("mara", 4))["author_merged"] == 3


def test_a_login_that_commits_for_another_stays_apart() -> None:
    history = after(by("mara", 1, WORK_NAME), by("jo", 2), by("jo", 3, WORK_NAME))
    assert row(history, by("mara", 4))["author_merged"] == 1
    assert row(history, by("jo", 4))["author_merged"] == 2
    assert row(history, by("eve", 4, WORK_NAME))["author_new"] == 1


def test_an_unseen_login_is_unknown_where_authors_are_known_by_address() -> None:
    history = after(*(by(WORK, number) for number in range(1, 6)))
    found = row(history, by("mara", 7))
    assert all(math.isnan(found[name]) for name in FACTS["author"])
    assert (found["author_bot"], found["author_ghost"]) == (0, 0)


@pytest.mark.parametrize(
    ("known", "asked"), [(("mara", "jo"), ("eve", ())), ((WORK, HOME), (OTHER, ()))]
)
def test_an_unseen_author_is_new_where_authors_are_known_by_the_same_kind_of_name(
    known: tuple[str, str], asked: tuple[str, tuple[str, ...]]
) -> None:
    history = after(*(by(name, number) for number, name in enumerate(known, 1)))
    assert row(history, by(asked[0], 5, *asked[1]))["author_new"] == 1


def test_an_address_of_an_open_pull_s_commits_finds_its_author() -> None:
    history = after(by(WORK, 1), by(HOME, 2))
    before = history.save()
    found = row(history, by("mara", 3, WORK_NAME))
    assert (found["author_merged"], found["author_new"]) == (1, 0)
    assert history.save() == before


def test_a_repository_without_a_history_knows_no_author() -> None:
    assert math.isnan(row(RepositoryHistory("owner/name"), by("mara", 1))["author_new"])


def test_a_name_like_a_robot_s_and_routine_work_make_a_bot() -> None:
    robot = [by("prombot", n, "name:robot", title=f"Update shared files {n}") for n in range(1, 13)]
    titles = ("Add a cache", "Fix the parser", "Speed up queries", "Drop Python 3.8", "Test locks")
    talbot = [by("talbot", n, "name:robot", title=titles[n % 5]) for n in range(13, 18)] + [
        by("talbot", n, "name:robot", title=f"Rework module{n} part{n}") for n in range(18, 25)
    ]
    history = after(*robot, *talbot)
    assert row(history, by("prombot", 30, "name:robot"))["author_bot"] == 1
    assert row(history, by("talbot", 30, "name:robot"))["author_bot"] == 0
    mara = [by("mara", n, title="Update shared files") for n in range(1, 13)]
    assert row(after(*mara), by("mara", 30))["author_bot"] == 0


def test_an_agent_s_help_is_a_fact_apart_from_bots() -> None:
    found = row(after(by("mara", 1)), by("mara", 2, agent="claude"))
    assert (found["author_agent"], found["author_bot"]) == (1, 0)


def test_a_login_is_whoever_wrote_the_pulls_from_its_forks() -> None:
    history = after(
        by(WORK, 1, head_repository="mara/name"),
        by(WORK, 2),
        by(OTHER, 3, head_repository="acme/name"),
        by(HOME, 4, head_repository="acme/name"),
        by(HOME, 5, head_repository="owner/name"),
    )
    restored = RepositoryHistory.load(history.save())
    assert row(restored, by("Mara", 6))["author_merged"] == 2
    assert math.isnan(row(restored, by("acme", 6))["author_merged"])
    assert math.isnan(row(restored, by("owner", 6))["author_merged"])
    restored.observe(by("mara", 6))
    assert row(restored, by("mara", 7))["author_merged"] == 3
    assert row(restored, by(WORK, 7))["author_merged"] == 3


def test_five_pulls_from_a_login_s_fork_tie_it_to_their_author() -> None:
    forked = [by(WORK, number, head_repository="mara/name") for number in range(2, 8)]
    history = after(by(HOME, 1, "login:mara"), *forked)
    assert row(history, by(HOME, 9))["author_merged"] == 7
    assert row(history, by("mara", 9))["author_merged"] == 7
