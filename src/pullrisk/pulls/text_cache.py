"""Caches of what a text says, bounded in bytes as well as in entries."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

T = TypeVar("T")
LONGEST: Final = 200
"""Characters of a text that is remembered: longer ones seldom come back, and would add up."""


def cache_texts(entries: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Let a function of one text remember its latest answers, except those for long texts."""

    def decorate(answer: Callable[[str], T]) -> Callable[[str], T]:
        known = lru_cache(maxsize=entries)(answer)

        @wraps(answer)
        def cached(text: str) -> T:
            return known(text) if len(text) <= LONGEST else answer(text)

        return cached

    return decorate
