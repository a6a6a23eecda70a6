"""Globs: of paths, as in .gitignore, and of names and titles.

Paths and titles are a stranger's: none of them can make a pattern slow, so no pattern becomes a
regular expression with repetitions side by side.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

MOST_CHARACTERS: Final = 1_024
"""Of a name or title that is compared."""
_DEEP: Final = "**"


class PathGlobs:
    """Tells whether a path matches patterns as git reads those of .gitignore.

    `*` and `?` stop at slashes, `**` does not; a pattern without a slash before its end matches at
    any depth; what matches a folder matches all that lies in it; the last pattern that matches
    decides, and one that begins with `!` takes back.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self._parts = [_parts(pattern.removeprefix("!")) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def match(self, path: str) -> bool:
        """Whether the path, or a folder that it lies in, matches."""
        names = path.split("/")
        for pattern, parts in zip(reversed(self.patterns), reversed(self._parts), strict=True):
            if _match(parts, names):
                return not pattern.startswith("!")
        return False

    def any(self, paths: Iterable[str]) -> bool:
        """Whether one of the paths matches."""
        return any(map(self.match, paths))


NO_PATHS: Final = PathGlobs(())


def _parts(pattern: str) -> list[str]:
    """The parts between slashes; `**` in front if the pattern may begin at any depth."""
    bare = pattern.strip().removesuffix("/")
    parts = bare.removeprefix("/").split("/")
    return parts if "/" in bare else [_DEEP, *parts]


def _match(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the parts match all names, or the first of them: a folder, and so what is in it.

    `used` are the numbers of parts that may have been used up by the names so far.
    """
    used = _behind_deep(parts, {0})
    for name in names:
        following = set()
        for place in used:
            if place == len(parts):
                return True
            if parts[place] == _DEEP:
                following |= {place, place + 1} if place == len(parts) - 1 else {place}
            elif fnmatchcase(name, parts[place]):
                following.add(place + 1)
        used = _behind_deep(parts, following)
    return len(parts) in used


def _behind_deep(parts: Sequence[str], places: set[int]) -> set[int]:
    """The places, and those that follow a `**` which stands for no folder; not at the end."""
    reached = set(places)
    for place in sorted(places):
        behind = place
        while behind < len(parts) - 1 and parts[behind] == _DEEP:
            behind += 1
            reached.add(behind)
    return reached


def matches(patterns: Iterable[str], text: str | None) -> bool:
    """Whether a name or title matches one of the globs; case does not count.

    A `[` stands for itself: `dependabot[bot]` is a login and no set of letters.
    """
    if text is None:
        return False
    short = " ".join(text[:MOST_CHARACTERS].split()).casefold()
    return any(fnmatchcase(short, _without_sets(pattern)) for pattern in patterns)


def _without_sets(pattern: str) -> str:
    return pattern.strip().casefold().replace("[", "[[]")
