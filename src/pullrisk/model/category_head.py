"""The head that predicts a pull's category, from the network's inputs and tokens of its text.

    z [n, d] ── without the features of the raw title ──> · wide ─┐
    tokens [n, WIDTH] ── rows of `words`, added up ───────────────┴─ + bias ─> softmax [n, k]

The features of the raw title are left out because the prefix would show in them. The code is not
read: it added nothing to the inputs (docs/decisions/0027). Tokens are hash buckets of the title
without its prefix and of the paths; training and serving call the same `token_rows`, so they
cannot read differently.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pullrisk.arrays import Bools, Float32, Int32
from pullrisk.features.pull_text import PullText
from pullrisk.features.schema import Feature
from pullrisk.model.categories import stated
from pullrisk.model.category_rules import kinds_of, rule, says_anything, spoken_of, title_words
from pullrisk.pulls.text_cache import cache_texts

HIDDEN_FAMILY: Final = "title"
"""Features of this family are computed from the raw title and body."""


@dataclass(frozen=True, slots=True)
class CategoryHead:
    """Weights of the k categories: of tokens [BUCKETS, k], of inputs [d, k], and k biases."""

    words: NDArray[np.float16]
    wide: Float32
    bias: Float32


def visible(features: Sequence[Feature]) -> Bools:
    """Which features the head may read, [d]."""
    return np.array([feature.family != HIDDEN_FAMILY for feature in features], bool)


BUCKETS: Final = 8_192
"""Tokens are hashed into so many rows of weights; row 0 is that of no token, all zero."""
WIDTH: Final = 72
"""Tokens that are read of one pull; the most telling come first."""

_VERSION: Final = re.compile(r"\d\.\d")


def token_rows(texts: Iterable[PullText]) -> Int32:
    """The tokens of every pull, [n, WIDTH], each 0 to BUCKETS - 1; 0 where there is none."""
    rows = [tokens(text) for text in texts]
    padded = np.zeros((len(rows), WIDTH), np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


def tokens(text: PullText) -> list[int]:
    """The tokens of one pull, without repetition: its facts, its words, its paths."""
    title = stated(text.title).title
    words = title_words(title)
    kinds = dict.fromkeys(kinds_of(text.paths))
    facts = [_bucket(f"rule: {rule(words, kinds.keys(), reverts=text.says_reverts)}")]
    facts += map(_bucket, _flags(title, words, text))
    facts += _of_kinds(tuple(kinds))
    parts = chain(map(_of_word, words), map(_of_first, words[:1]), map(_of_path, text.paths))
    return [*dict.fromkeys(chain(facts, *parts))][:WIDTH]


def _flags(title: str, words: Sequence[str], text: PullText) -> list[str]:
    flags = []
    if text.says_reverts:
        flags.append("names what it reverts")
    if "`" in title:
        flags.append("names code")
    if _VERSION.search(title):
        flags.append("names a version")
    if not says_anything(words):
        flags.append("says nothing")
    return flags


@cache_texts(1 << 15)
def _bucket(token: str) -> int:
    return 1 + crc32(token.encode()) % (BUCKETS - 1)


# What follows comes back for the same words and paths all the time, so it is remembered.


@lru_cache(maxsize=1 << 10)
def _of_kinds(kinds: tuple[str, ...]) -> tuple[int, ...]:
    """The kinds of a pull's files, and whether they are all of one."""
    only = () if len(kinds) > 1 else (f"only {kinds[0] if kinds else 'no'} files",)
    return tuple(map(_bucket, (*(f"{kind} files" for kind in kinds), *only)))


@cache_texts(1 << 15)
def _of_word(word: str) -> tuple[int, ...]:
    """The categories that a word speaks of, and the word."""
    return tuple(map(_bucket, (*(f"says {name}" for name in spoken_of(word)), word)))


@cache_texts(1 << 13)
def _of_first(word: str) -> tuple[int, ...]:
    """The same for the first word of a title."""
    spoken = (f"begins by saying {name}" for name in spoken_of(word))
    return tuple(map(_bucket, (*spoken, f"begins with {word}")))


@cache_texts(1 << 15)
def _of_path(path: str) -> tuple[int, ...]:
    """The folders above a file, its extension and its name."""
    directory, _, name = path.lower().rpartition("/")
    folders = [f"{folder}/" for folder in directory.split("/") if folder]
    return tuple(map(_bucket, (*folders, f".{name.rpartition('.')[2]}", f"/{name}")))
