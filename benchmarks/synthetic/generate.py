"""A stream of synthetic merged pull requests, repository by repository, each by merge time."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.pulls.record import ChangedFile, Pull
from synthetic.profile import Profile, draw, draw_counts, load, stretched
from synthetic.touched import TouchedFiles

OWNER: Final = "synthetic"
"""The owner of every synthetic repository."""
END: Final = datetime(2025, 1, 1, tzinfo=UTC)
SPAN_HOURS: Final = 12 * 365.25 * 24
"""The longest history: more pulls than fit in it merge faster than the sample's."""
_BLOCK: Final = 4_096
_REMEMBERED: Final = 2_000
_REGULARS: Final = 5


def pulls(
    total: int,
    *,
    repositories: int,
    seed: int,
    skew: float = 0.8,
    mean_files: float | None = None,
) -> Iterator[Pull]:
    """`total` pulls of `repositories` repositories; equal arguments give equal pulls.

    The n-th repository is as large as 1 / n**skew (0 = all equal). `mean_files` stretches the
    sample's numbers of files to this mean. Raises ValueError.
    """
    if not 1 <= repositories <= total:
        raise ValueError(f"{total} pulls cannot fill {repositories} repositories")
    profile = load()
    if mean_files is not None:
        profile = msgspec.structs.replace(profile, files=stretched(profile.files, mean_files))
    for index, count in enumerate(sizes(total, repositories, skew), 1):
        chance = np.random.default_rng([seed, index])
        yield from _Repository(f"{OWNER}/repository-{index}", profile, chance).pulls(count)


def sizes(total: int, repositories: int, skew: float) -> list[int]:
    """Pulls of each repository, the largest first; at least one each, `total` together."""
    weights = 1.0 / np.arange(1, repositories + 1) ** skew
    spare = total - repositories
    edges = np.rint(np.cumsum(weights) / weights.sum() * spare).astype(int)
    return [int(size) + 1 for size in np.diff(edges, prepend=0)]


class _Repository:
    def __init__(self, name: str, profile: Profile, chance: np.random.Generator) -> None:
        self._name, self._profile, self._chance = name, profile, chance
        self._files = TouchedFiles(profile, chance)
        self._authors = list(range(_REGULARS))
        self._author_count = _REGULARS
        self._recent: deque[Pull] = deque(maxlen=_REMEMBERED)

    def pulls(self, count: int) -> Iterator[Pull]:
        """`count` pulls by merge time; the last merges shortly before END."""
        mean = float(np.mean(self._profile.hours_between))
        pace = min(1.0, SPAN_HOURS / (count * mean))
        hours = -min(count * mean, SPAN_HOURS)
        for first in range(1, count + 1, _BLOCK):
            size = min(_BLOCK, count + 1 - first)
            gaps = draw(self._profile.hours_between, self._chance, size) * pace
            merged = hours + np.cumsum(gaps)
            hours = float(merged[-1])
            for pull in self._block(first, merged):
                self._recent.append(pull)
                yield pull

    def _block(self, first: int, merged: NDArray[np.float64]) -> Iterator[Pull]:
        profile, chance, size = self._profile, self._chance, len(merged)
        touched = self._files.of_pulls(draw_counts(profile.files, chance, size))
        files = self._changed(touched)
        hours_open = draw(profile.hours_open, chance, size).tolist()
        commits = draw_counts(profile.commits, chance, size).tolist()
        titles = self._titles(size)
        authors = self._draw_authors(size)
        reverts = (chance.random(size) < profile.revert).tolist()
        for row, hour in enumerate(merged.tolist()):
            merged_at = END + timedelta(seconds=int(hour * 3600))
            changed = tuple(islice(files, len(touched[row])))
            title, body = titles[row], ""
            if reverts[row] and self._recent:
                target = self._reverted()
                title = f'Revert "{target.title}"'
                body = f"Reverts {self._name}#{target.number}"
                changed = target.files or ()
            author = authors[row]
            yield Pull(
                repository=self._name,
                number=first + row,
                created_at=merged_at - timedelta(seconds=int(hours_open[row] * 3600)),
                updated_at=merged_at,
                merged_at=merged_at,
                closed_at=merged_at,
                title=title,
                body=body,
                author=author,
                bot=author.endswith("-bot"),
                commits=commits[row],
                additions=sum(file.additions or 0 for file in changed),
                deletions=sum(file.deletions or 0 for file in changed),
                changed_files=len(changed),
                files=changed,
            )

    def _changed(self, touched: list[list[int]]) -> Iterator[ChangedFile]:
        """The changed files of all these pulls, one after the other."""
        profile, chance, paths = self._profile, self._chance, self._files.paths
        indexes = [index for pull in touched for index in pull]
        additions = draw_counts(profile.additions, chance, len(indexes)).tolist()
        deletions = draw_counts(profile.deletions, chance, len(indexes)).tolist()
        statuses = profile.statuses.draw(chance, len(indexes))
        for index, status, added, deleted in zip(
            indexes, statuses, additions, deletions, strict=True
        ):
            yield ChangedFile(paths[index], status, added, deleted)

    def _titles(self, size: int) -> list[str]:
        lengths = np.maximum(draw_counts(self._profile.title_words, self._chance, size), 1)
        words = iter(self._profile.words.draw(self._chance, int(lengths.sum())))
        return [" ".join(islice(words, length)) for length in lengths.tolist()]

    def _draw_authors(self, size: int) -> list[str]:
        """Authors by how much they did before, and new ones."""
        names = []
        for fresh, place in zip(
            (self._chance.random(size) < self._profile.new_author).tolist(),
            self._chance.random(size).tolist(),
            strict=True,
        ):
            if fresh:
                self._author_count += 1
                author = self._author_count - 1
            else:
                author = self._authors[int(place * len(self._authors))]
            self._authors.append(author)
            names.append(f"{OWNER}-author-{author}" + "-bot" * self._is_bot(author))
        return names

    def _is_bot(self, author: int) -> bool:
        # Bots are among the most active: the first of the regulars takes their share.
        return author == 0 and self._profile.bot > 0

    def _reverted(self) -> Pull:
        ago = int(draw_counts(self._profile.reverted_ago, self._chance, 1)[0])
        return self._recent[-min(max(ago, 1), len(self._recent))]
