from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.features.likeness import _RECENT
from pullrisk.pulls.record import ChangedFile, Pull
from support.histories import START, pull

LIKENESS = ("title_like_own", "title_like_recent", "titles_like_recent",
            "hours_since_like_title", "like_title_files")  # fmt: skip


def _likeness(history: RepositoryHistory, asked: Pull) -> dict[str, float]:
    values = dict(zip(NAMES, history.features(asked, as_of=asked.event_at or START), strict=True))
    return {name: values[name] for name in LIKENESS}


def _merged(number: int, title: str, *, author: str = "ada", path: str = "a.py") -> Pull:
    day = number / 24
    return pull(
        number,
        day=day,
        title=title,
        author=author,
        files=(ChangedFile(path),),
        merged_at=START + timedelta(days=day),
    )


def _after(*pulls: Pull) -> RepositoryHistory:
    history = RepositoryHistory(pulls[0].repository)
    for each in pulls:
        history.observe(each)
    return history


def test_a_title_is_as_like_another_as_the_share_of_words_they_have_in_common() -> None:
    history = _after(_merged(1, "speed up the parser"), _merged(2, "write docs", author="bob"))
    told = _likeness(history, _merged(4, "speed up the lexer"))
    assert told["title_like_recent"] == pytest.approx(3 / 5)
    assert told["title_like_own"] == pytest.approx(3 / 5)
    assert told["titles_like_recent"] == pytest.approx((3 / 5) ** 2)
    assert told["hours_since_like_title"] == pytest.approx(3.0)
    assert told["like_title_files"] == 1.0


def test_anothers_title_is_no_title_of_ones_own() -> None:
    history = _after(_merged(1, "speed up the parser"))
    told = _likeness(history, _merged(2, "speed up the parser", author="bob", path="b.py"))
    assert (told["title_like_recent"], told["title_like_own"]) == (1.0, 0.0)
    assert told["like_title_files"] == 0.0


def test_of_titles_as_like_the_later_one_counts() -> None:
    history = _after(_merged(1, "write docs"), _merged(9, "write docs"))
    assert _likeness(history, _merged(10, "write docs"))["hours_since_like_title"] == (
        pytest.approx(1.0)
    )


def test_one_word_in_common_is_no_likeness_of_longer_titles() -> None:
    history = _after(_merged(1, "fix the lexer"))
    assert _likeness(history, _merged(2, "fix a broken link"))["title_like_recent"] == 0.0


def test_a_title_leaves_the_window_after_400_pulls() -> None:
    others = [_merged(2 + number, f"words{number}") for number in range(_RECENT)]
    inside = _after(_merged(1, "write docs"), *others[:-1])
    outside = _after(_merged(1, "write docs"), *others)
    asked = _merged(3 + _RECENT, "write docs")
    assert _likeness(inside, asked)["title_like_recent"] == 1.0
    assert _likeness(outside, asked)["title_like_recent"] == 0.0


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(("fix a", "fix a b", "bump b", "bump a b c", "")), min_size=1),
    st.integers(0, _RECENT),
)
def test_a_restored_history_sees_the_same_window(titles: list[str], before: int) -> None:
    pulls = [_merged(number + 1, f"filler x{number}") for number in range(before)]
    pulls += [_merged(before + number + 1, title) for number, title in enumerate(titles)]
    history = _after(*pulls)
    restored = RepositoryHistory.load(history.save())
    asked = _merged(len(pulls) + 1, "bump a b")
    assert _likeness(restored, asked) == _likeness(history, asked)
    history.observe(asked)
    restored.observe(asked)
    assert restored.save() == history.save()


def test_long_titles_need_more_room_and_lose_nothing() -> None:
    """700 long titles, so that the recent ones fill the rings twice over and go around them."""
    titles = [" ".join(f"w{(7 * number + word) % 1_000}" for word in range(30))
              for number in range(700)]  # fmt: skip
    history = _after(*(_merged(number + 1, title) for number, title in enumerate(titles)))
    asked = _merged(701, titles[350])
    told = _likeness(history, asked)
    words = [set(title.split()) for title in titles[-_RECENT:]]
    likenesses = [len(each & words[50]) / len(each | words[50]) for each in words]
    assert told["title_like_recent"] == pytest.approx(max(likenesses), abs=0.05)
    crowd = sum(each * each for each in likenesses if each > 1 / 59)
    assert told["titles_like_recent"] == pytest.approx(crowd, rel=0.1)
    assert _likeness(RepositoryHistory.load(history.save()), asked) == told


def test_words_that_share_a_hash_count_once() -> None:
    """Both words fall into one of the 4,096 buckets; a likeness once divided by zero there."""
    title = "b79 b1206"
    failed = _merged(1, title)
    undone = _merged(2, f'Revert "{title}"')
    history = _after(failed, msgspec.structs.replace(undone, body="Reverts owner/name#1"))
    values = history.features(_merged(3, title), as_of=START + timedelta(days=1))
    told = dict(zip(NAMES, values, strict=True))
    assert (told["title_like_recent"], told["title_like_failed"]) == (1.0, 1.0)
