"""What the category head reads of a pull: tokens of its hidden title and paths, as hash buckets.

Training and serving call the same `token_rows`, so they cannot read differently.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.said import Said
from pullrisk.model.categories import stated
from pullrisk.model.rules import kinds_of, rule, says_anything, spoken_of, title_words

BUCKETS: Final = 8_192
"""Tokens are hashed into so many rows of weights; row 0 is that of no token, all zero."""
WIDTH: Final = 72
"""Tokens that are read of one pull; the most telling come first."""

_VERSION: Final = re.compile(r"\d\.\d")


def token_rows(said: Iterable[Said]) -> NDArray[np.int32]:
    """The tokens of every pull, [n, WIDTH], each 0 to BUCKETS - 1; 0 where there is none."""
    rows = [tokens(one) for one in said]
    found = np.zeros((len(rows), WIDTH), np.int32)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found


def tokens(said: Said) -> list[int]:
    """The tokens of one pull, without repetition: its facts, its words, its paths."""
    title = stated(said.title).title
    words = title_words(title)
    first = [f"begins with {word}" for word in words[:1]]
    own = map(_bucket, (*_facts(title, words, said), *words, *first))
    paths = chain.from_iterable(map(_path_tokens, said.paths))
    return [*dict.fromkeys((*own, *paths))][:WIDTH]


def _facts(title: str, words: Sequence[str], said: Said) -> list[str]:
    """What holds of a pull, in sentences of a fixed vocabulary."""
    kinds = dict.fromkeys(kinds_of(said.paths))
    facts = [f"rule: {rule(words, kinds.keys(), reverts=said.says_reverts)}"]
    facts += [f"{kind} files" for kind in kinds]
    if len(kinds) < 2:
        facts.append(f"only {next(iter(kinds), 'no')} files")
    spoken = [*map(spoken_of, words)]
    facts += [f"says {name}" for name in chain.from_iterable(spoken)]
    facts += [f"begins by saying {name}" for name in chain(*spoken[:1])]
    if said.says_reverts:
        facts.append("names what it reverts")
    if "`" in title:
        facts.append("names code")
    if _VERSION.search(title):
        facts.append("names a version")
    if not says_anything(words):
        facts.append("says nothing")
    return facts


@lru_cache(maxsize=1 << 15)
def _bucket(token: str) -> int:
    return 1 + crc32(token.encode()) % (BUCKETS - 1)


@lru_cache(maxsize=1 << 15)
def _path_tokens(path: str) -> tuple[int, ...]:
    """The folders above a file, its extension and its name."""
    directory, _, name = path.lower().rpartition("/")
    folders = [f"{folder}/" for folder in directory.split("/") if folder]
    return tuple(map(_bucket, (*folders, f".{name.rpartition('.')[2]}", f"/{name}")))
