"""Which files a synthetic pull request touches.

A repository's touches form a log. A pull request copies a run of an earlier part of it, so that
files touched often are touched again and files changed together stay together; some of the run
are replaced by new files. Files' popularity then follows a power law, as real ones do.
"""

from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from synthetic.profile import Profile

_FIRST_FILES: Final = 40
_DEPTH: Final = 4
_REDRAWS: Final = 2

Touches = NDArray[np.int64]


class TouchedFiles:
    """The files of one repository, and the log of their touches."""

    def __init__(self, profile: Profile, chance: np.random.Generator) -> None:
        self._profile, self._chance = profile, chance
        self.paths: list[str] = []
        self._directories: list[str] = []
        self._log: Touches = np.empty(1 << 12, np.int64)
        self._logged = 0
        self._append(self._new(_FIRST_FILES))

    def of_pulls(self, sizes: NDArray[np.int64]) -> list[list[int]]:
        """Indexes into `paths` for pulls of these sizes (files, at least 0 each).

        What a run holds twice is drawn again; the little that is still there twice counts once.
        """
        starts = np.cumsum(sizes) - sizes
        total = int(sizes.sum())
        pull_of = np.repeat(np.arange(len(sizes)), sizes)
        first = (self._chance.random(len(sizes)) * self._logged).astype(np.int64)
        touched = self._log[(first[pull_of] + np.arange(total) - starts[pull_of]) % self._logged]
        for _ in range(_REDRAWS):
            again = _repeated(pull_of, touched)
            touched[again] = self._log[
                (self._chance.random(int(again.sum())) * self._logged).astype(int)
            ]
        fresh = self._chance.random(total) < self._profile.new_file
        touched[fresh] = self._new(int(fresh.sum()))
        self._append(touched)
        listed, ends = touched.tolist(), np.cumsum(sizes).tolist()
        return [
            list(dict.fromkeys(listed[start:end]))
            for start, end in zip(starts.tolist(), ends, strict=True)
        ]

    def _new(self, count: int) -> Touches:
        first = len(self.paths)
        words = self._profile.words.draw(self._chance, count)
        extensions = self._profile.extensions.draw(self._chance, count)
        for index, directory, word, extension in zip(
            range(first, first + count),
            self._draw_directories(count),
            words,
            extensions,
            strict=True,
        ):
            self.paths.append(f"{directory}{word}{index}{extension}")
        return np.arange(first, first + count)

    def _draw_directories(self, count: int) -> list[str]:
        """A directory for each new file: mostly one that is known, else a new one."""
        known = self._directories
        fresh = self._chance.random(count) < self._profile.new_directory
        fresh[:1] |= not known
        made = int(fresh.sum())
        depths = self._chance.integers(_DEPTH, size=made).tolist()
        words = iter(self._profile.words.draw(self._chance, sum(depths)))
        for top, depth in zip(self._profile.tops.draw(self._chance, made), depths, strict=True):
            known.append("".join(f"{part}/" for part in (top, *islice(words, depth)) if part))
        places = (self._chance.random(count) * len(known)).astype(int).tolist()
        return [known[place] for place in places]

    def _append(self, touched: Touches) -> None:
        end = self._logged + len(touched)
        if end > len(self._log):
            larger = np.empty(2 * end, np.int64)
            larger[: self._logged] = self._log[: self._logged]
            self._log = larger
        self._log[self._logged : end] = touched
        self._logged = end


def _repeated(pull_of: Touches, touched: Touches) -> NDArray[np.bool_]:
    """Which touches are of a file that the same pull touched before, bool [touches]."""
    pairs = pull_of * (1 + touched.max(initial=0)) + touched
    repeated = np.ones(len(pairs), bool)
    repeated[np.unique(pairs, return_index=True)[1]] = False
    return repeated
