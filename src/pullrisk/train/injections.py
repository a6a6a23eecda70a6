"""Injected anomalies: real later pulls, changed so that they no longer fit their repository.

    another repository            a pull of another repository, as if it had been opened here
    inflated size                 10 to 50 times as many lines, over as many times more of
                                  the repository's files
    stranger on contested files   the pull by an author never seen, on the ten (or as many as
                                  it had, if more) files that most authors have touched

Each is folded by `RepositoryHistory.features` against the same history and at the same moment
as the pull it was made from, so nothing but the change tells them apart.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import cycle
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float32
from pullrisk.features import RepositoryHistory
from pullrisk.progress import Progress
from pullrisk.pulls.record import MAX_FILES, ChangedFile, Pull
from pullrisk.train.novelty import NORMAL, Injected

FOREIGN: Final = "another repository"
INFLATED: Final = "inflated size"
STRANGER: Final = "stranger on contested files"
_CONTESTED: Final = 10
"""How many of the most contested files a stranger touches at least."""
_INFLATION: Final = (10, 50)
_FOREIGN_POOL: Final = 200

Read = Callable[[str], Iterable[Pull]]
"""A repository's closed and merged pulls in event order, such as `PullStore.events`."""


def inject(
    read: Read,
    since: Mapping[str, int],
    *,
    per_repository: int = 100,
    seed: int = 0,
    progress: Progress,
) -> Injected | None:
    """Make anomalies from the first pulls of each repository at or after `since` (µs).

    Takes up to `per_repository` merged pulls with files of each. Pulls of another repository
    need a second one. None if no repository has such pulls.
    """
    random = np.random.default_rng(seed)
    rows: dict[str, list[list[float]]] = defaultdict(list)
    named: dict[str, list[str]] = defaultdict(list)
    with progress.task("inject anomalies", total=2 * len(since), unit="repositories") as task:
        pools = {}
        for name, moment in since.items():
            pools[name] = _pool(read(name), moment, random)
            task.advance()
        for name, moment in since.items():
            foreign = [pull for other, pool in pools.items() if other != name for pull in pool]
            maker = _Maker(name, foreign, random)
            for kind, row in maker.rows(read(name), moment, limit=per_repository):
                rows[kind].append(row)
                named[kind].append(name)
            task.advance()
    if not rows:
        return None
    normal = _matrix(rows.pop(NORMAL))
    return Injected(normal, {kind: _matrix(found) for kind, found in rows.items()}, named)


class _Maker:
    """Replays one repository and turns its later pulls into anomalies."""

    def __init__(
        self, repository: str, foreign: Sequence[Pull], random: np.random.Generator
    ) -> None:
        self._history = RepositoryHistory(repository)
        self._foreign = foreign
        self._random = random
        self._authors: dict[str, set[str | None]] = defaultdict(set)
        self._paths: list[str] = []

    def rows(
        self, events: Iterable[Pull], since: int, *, limit: int
    ) -> Iterator[tuple[str, list[float]]]:
        """(kind, row) of each anomaly, and of the pull itself as kind ``."""
        made = 0
        for pull in events:
            if made == limit:
                return
            if self._paths and _usable(pull, since):
                made += 1
                yield from self._variants(pull)
            self._observe(pull)

    def _variants(self, pull: Pull) -> Iterator[tuple[str, list[float]]]:
        assert pull.merged_at is not None  # noqa: S101  (usable pulls are merged)
        for kind, variant in (
            (NORMAL, pull),
            (FOREIGN, self._from_elsewhere(pull)),
            (INFLATED, self._inflated(pull)),
            (STRANGER, self._by_stranger(pull)),
        ):
            if variant is not None:
                yield kind, self._history.features(variant, as_of=pull.merged_at)

    def _observe(self, pull: Pull) -> None:
        self._history.observe(pull)
        if pull.merged_at is not None:
            for file in pull.files or ():
                if file.path not in self._authors:
                    self._paths.append(file.path)
                self._authors[file.path].add(pull.author)

    def _from_elsewhere(self, pull: Pull) -> Pull | None:
        if not self._foreign:
            return None
        other = self._foreign[int(self._random.integers(len(self._foreign)))]
        return msgspec.structs.replace(
            other,
            repository=pull.repository,
            number=pull.number,
            created_at=pull.created_at,
            updated_at=pull.updated_at,
            merged_at=pull.merged_at,
            closed_at=pull.closed_at,
            merge_sha=pull.merge_sha,
        )

    def _inflated(self, pull: Pull) -> Pull:
        factor = float(np.exp(self._random.uniform(*np.log(_INFLATION))))
        count = min(round(len(pull.files or ()) * factor), len(self._paths), MAX_FILES)
        chosen = self._random.choice(len(self._paths), size=count, replace=False)
        return inflate(pull, factor, [self._paths[place] for place in chosen.tolist()])

    def _by_stranger(self, pull: Pull) -> Pull:
        files = pull.files or ()
        count = max(_CONTESTED, len(files))
        contested = nsmallest(
            count, self._paths, key=lambda path: (-len(self._authors[path]), path)
        )
        touched = [
            msgspec.structs.replace(file, path=path, status="modified", previous_path=None)
            for path, file in zip(contested, cycle(files), strict=False)
        ]
        return msgspec.structs.replace(
            pull,
            author=f"stranger-{self._random.integers(2**32)}",
            author_association="NONE",
            bot=False,
            changed_files=len(touched),
            files=tuple(touched),
        )


def inflate(pull: Pull, factor: float, paths: Sequence[str]) -> Pull:
    """The pull with `factor` times the lines, over its own files and then `paths`.

    Each further file changes as many lines as one of its own does.
    """
    own = pull.files or ()
    more = [
        ChangedFile(path, "modified", file.additions, file.deletions)
        for path, file in zip(paths, cycle(own), strict=False)
    ]
    files = (*own, *more)[:MAX_FILES]
    return msgspec.structs.replace(
        pull,
        additions=_times(pull.additions, factor),
        deletions=_times(pull.deletions, factor),
        changed_files=max(len(files), _times(pull.changed_files, factor) or 0),
        files=files,
    )


def _times(count: int | None, factor: float) -> int | None:
    return None if count is None else round(count * factor)


def _pool(events: Iterable[Pull], since: int, random: np.random.Generator) -> list[Pull]:
    """Some later pulls of a repository, for the others to receive."""
    usable = [pull for pull in events if _usable(pull, since)]
    chosen = random.permutation(len(usable))[:_FOREIGN_POOL]
    return [usable[place] for place in sorted(chosen.tolist())]


def _usable(pull: Pull, since: int) -> bool:
    merged = pull.merged_at
    return merged is not None and bool(pull.files) and merged.timestamp() * 1e6 >= since


def _matrix(rows: list[list[float]]) -> Float32:
    return np.array(rows, np.float32)
