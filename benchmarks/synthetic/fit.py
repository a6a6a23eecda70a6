"""Fits the profile on real pull requests and prints it as JSON.

PYTHONPATH=benchmarks python -m synthetic.fit sample/*.jsonl.gz > benchmarks/synthetic/profile.json
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec
import numpy as np

from pullrisk.fetch.files import read_pulls
from pullrisk.pulls.outcomes import is_undo
from pullrisk.pulls.record import Pull
from synthetic.profile import Profile, Weighted

_WORD: Final = re.compile(r"\b(?!revert|reland|reapply|reintro|back)[a-z]{2,14}")
"""Without those that would make a title claim to undo another pull."""
_REVERTED: Final = re.compile(r"^Reverts [^#\s]+#(\d+)$", re.MULTILINE)


def main(paths: Sequence[str]) -> int:
    """Print the profile of the named files, one repository each."""
    repositories = [list(read_pulls(path)) for path in paths]
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(fit(repositories)), indent=0))
    return 0


def fit(repositories: Sequence[Sequence[Pull]]) -> Profile:
    """The profile of these repositories' merged pulls, each sequence in order of merge."""
    pulls = [pull for repository in repositories for pull in repository]
    files = [file for pull in pulls for file in pull.files or ()]
    paths = [PurePosixPath(file.path) for file in files]
    return Profile(
        source=f"{len(pulls)} merged pull requests of {len(repositories)} repositories",
        files=_percentiles(len(pull.files or ()) for pull in pulls),
        additions=_percentiles(file.additions or 0 for file in files),
        deletions=_percentiles(file.deletions or 0 for file in files),
        commits=_percentiles(pull.commits or 1 for pull in pulls),
        hours_open=_percentiles(_hours_open(pull) for pull in pulls),
        hours_between=_percentiles(gap for one in repositories for gap in _gaps(one)),
        reverted_ago=_percentiles(ago for one in repositories for ago in _reverted_ago(one)),
        title_words=_percentiles(len(pull.title.split()) for pull in pulls),
        new_file=_new([file.path for p in one for file in p.files or ()] for one in repositories),
        new_directory=len({path.parent for path in paths}) / len(set(paths)),
        new_author=_new([pull.author for pull in one] for one in repositories),
        revert=sum(map(is_undo, pulls)) / len(pulls),
        bot=sum(pull.bot for pull in pulls) / len(pulls),
        statuses=_weighted((file.status for file in files), 6),
        tops=_weighted((path.parts[0] if len(path.parts) > 1 else "" for path in paths), 60),
        extensions=_weighted((path.suffix for path in paths), 40),
        words=_weighted((w for pull in pulls for w in _WORD.findall(pull.title.lower())), 400),
    )


def _percentiles(values: Iterable[float]) -> list[float]:
    measured = np.fromiter(values, np.float64)
    return [round(float(value), 4) for value in np.percentile(measured, [*range(100), 99.9])]


def _weighted(values: Iterable[str], most: int) -> Weighted:
    common = Counter(values).most_common(most)
    return Weighted([value for value, _ in common], [count for _, count in common])


def _new(repositories: Iterable[Sequence[object]]) -> float:
    """Share of the things that were not seen before in their repository."""
    counts = [(len(set(things)), len(things)) for things in repositories]
    return sum(new for new, _ in counts) / sum(known for _, known in counts)


def _hours_open(pull: Pull) -> float:
    merged = pull.merged_at or pull.updated_at
    return (merged - pull.created_at).total_seconds() / 3600


def _gaps(pulls: Sequence[Pull]) -> list[float]:
    moments = [(pull.merged_at or pull.updated_at).timestamp() for pull in pulls]
    return [float(gap) / 3600 for gap in np.diff(np.sort(moments))]


def _reverted_ago(pulls: Sequence[Pull]) -> list[int]:
    """How many pulls before each revert the reverted one merged."""
    place = {pull.number: index for index, pull in enumerate(pulls)}
    ages = [
        index - place[int(number)]
        for index, pull in enumerate(pulls)
        for number in _REVERTED.findall(pull.body)
        if int(number) in place
    ]
    return [ago for ago in ages if ago > 0]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
