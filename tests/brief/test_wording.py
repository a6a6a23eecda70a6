import pytest

from pullrisk.brief.wording import age, counted, duration, listed, share


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.34, "34 %"), (0.042, "4.2 %"), (0.0004, "less than 0.1 %"), (0, "0 %"), (1, "100 %")],
)
def test_a_share_is_told_in_per_cent(value: float, said: str) -> None:
    assert share(value) == said


@pytest.mark.parametrize(
    ("days", "said"),
    [(0.2, "less than a day ago"), (1.5, "a day ago"), (9.4, "9 days ago"), (35, "5 weeks ago"),
     (122, "4 months ago"), (1100, "3 years ago")],
)  # fmt: skip
def test_an_age_is_told_as_people_do(days: float, said: str) -> None:
    assert age(days) == said


@pytest.mark.parametrize(
    ("days", "said"), [(0.2, "less than a day"), (1.0, "1 day"), (1.9, "1 day"), (20.9, "20 days")]
)
def test_a_length_of_time_is_never_longer_than_it_was(days: float, said: str) -> None:
    assert duration(days) == said


def test_counts_and_lists() -> None:
    assert counted(1, "file") == "1 file"
    assert counted(1200, "person", "people") == "1,200 people"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
