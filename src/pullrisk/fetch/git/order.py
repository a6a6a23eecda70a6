"""What a disorderly sequence agrees on."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

T = TypeVar("T", int, datetime)


def longest_rising(values: Sequence[T]) -> list[int]:
    """The places of a longest non-decreasing subsequence (patience sorting), in order."""
    tails: list[T] = []
    places: list[int] = []
    before: list[int | None] = []
    for place, value in enumerate(values):
        length = bisect_right(tails, value)
        before.append(places[length - 1] if length else None)
        tails[length : length + 1] = [value]
        places[length : length + 1] = [place]
    chain: list[int] = []
    last = places[-1] if places else None
    while last is not None:
        chain.append(last)
        last = before[last]
    return chain[::-1]
