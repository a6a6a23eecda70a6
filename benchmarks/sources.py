"""Whether a pull gets the same answer from a clone as from GitHub.

    make bench-sources ARGS="--clone FOLDER [--clone FOLDER] [--json]"

Each clone's merged pulls are read from the clone itself, and from the fake GitHub, which serves
the same pulls with what a clone does not know made up: logins, forks, opening times, commits and
descriptions. The general model, recalibrated for each, scores the latest pulls of both; and it
scores the pulls that GitHub tells against the history of the clone, as an open pull would be.
Exit code 1 where a figure misses its limit.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from clone_data import read_events
from fake_github.app import FakeGitHub
from fake_github.inside import URL, Inside
from fake_github.world import World, pull_like
from pullrisk.features import RepositoryHistory
from pullrisk.features.history import ROW
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.fetch import Request, fetch_github
from pullrisk.model.bundle import Bundle, Scores
from pullrisk.model.general import USUAL_PULLS, general_bundle
from pullrisk.progress import Silent
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore

RECENT: Final = 1_000
LEAST_CORRELATION: Final = 0.95
MOST_OFF_QUARTILE: Final = 5.0
MOST_BANDS: Final = 0.05
QUARTILES: Final = (25.0, 50.0, 75.0)
_REGULAR: Final = 20
"""Pulls from which on an author pushes to the repository itself, not to a fork."""
_TOKEN: Final = "fake-token"


class Compared(msgspec.Struct):
    """One repository: rank correlation of risk and share of bands that differ, each against the
    clone, of the pulls read from GitHub, and of those scored against the clone's history.
    """

    repository: str
    pulls: int
    correlation: float
    bands: float
    correlation_open: float
    bands_open: float
    quartiles: dict[str, list[float]]
    """Of novelty, by source: `clone`, `github`, `github on clone`."""

    @property
    def met(self) -> bool:
        """Whether every limit holds."""
        off = [
            abs(found - wanted)
            for quartiles in self.quartiles.values()
            for found, wanted in zip(quartiles, QUARTILES, strict=True)
        ]
        return (
            self.correlation >= LEAST_CORRELATION
            and self.bands <= MOST_BANDS
            and max(off) <= MOST_OFF_QUARTILE
        )


class Folded(NamedTuple):
    """A source's merged pulls by number, their rows in order, and the model made for them."""

    rows: dict[int, NDArray[np.float32]]
    bundle: Bundle


def main() -> int:
    """Compare, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clone", type=Path, action="append", required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for path in options.clone:
        results.append(compared(path))
        if not options.json:
            print(told(results[-1]), flush=True)
    if options.json:
        print(json.dumps(msgspec.to_builtins(results)))
    return int(not all(one.met for one in results))


def compared(path: Path) -> Compared:
    """The same pulls from both sources, scored."""
    name = Git(path).github_name() or f"local/{path.resolve().name}"
    from_clone = read_events(path, name)
    from_github = read_github(from_clone, name)
    clone, github = folded(from_clone), folded(from_github)
    numbers = [number for number in clone.rows if number in github.rows][-RECENT:]
    told_by_github = {pull.number: pull for pull in from_github}
    opened = as_opened(from_clone, told_by_github, numbers)
    scores = {
        "clone": scored(clone.bundle, name, [clone.rows[number] for number in numbers]),
        "github": scored(github.bundle, name, [github.rows[number] for number in numbers]),
        "github on clone": scored(clone.bundle, name, opened),
    }
    own, other, crossed = scores.values()
    return Compared(
        repository=name,
        pulls=len(numbers),
        correlation=correlation(own, other),
        bands=differing(own, other),
        correlation_open=correlation(own, crossed),
        bands_open=differing(own, crossed),
        quartiles={
            source: np.percentile(each.novelty, QUARTILES).round(1).tolist()
            for source, each in scores.items()
        },
    )


def read_github(pulls: Iterable[Pull], name: str) -> list[Pull]:
    """The same pulls as GitHub would tell them."""
    world = World()
    world.add(name, served([pull for pull in pulls if pull.number > 0]), stars=1)
    app = FakeGitHub(world)
    app.accounts.tokens[_TOKEN].limit = 1_000_000
    access = Access(url=URL, tokens=(_TOKEN,), pace=0.0, transport=Inside(app))
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "pulls.sqlite") as store:
        request = Request(repositories=(name,))
        report = fetch_github(request, store, access=access, progress=Silent())
        assert not report.failed, report.failed
        return list(store.events(name))


def served(pulls: list[Pull]) -> Iterator[dict[str, Any]]:
    """REST objects of the pulls, with what GitHub knows beside the clone made up."""
    random = np.random.default_rng(0)
    authors = [pull.author or "" for pull in pulls]
    logins = {author: f"person-{place}" for place, author in enumerate(dict.fromkeys(authors))}
    regular = {author for author in logins if authors.count(author) >= _REGULAR}
    for pull in pulls:
        assert pull.merged_at is not None
        opened = pull.merged_at - timedelta(hours=float(random.lognormal(3, 1.5)))
        words = " ".join(["why"] * int(random.lognormal(3, 1.5)))
        login = logins[pull.author or ""]
        own = pull.author in regular if pull.head_repository is None else False
        fork = f"{login}/{pull.repository.partition('/')[2]}"
        home = pull.repository if own else pull.head_repository or fork
        head = {"ref": pull.head_ref or "topic", "sha": pull.head_sha, "repo": {"full_name": home}}
        yield pull_like(
            pull.number,
            title=pull.title,
            body="\n\n".join(part for part in (words, pull.body) if part),
            user={"login": f"{login}[bot]" * pull.bot or login, "type": ["User", "Bot"][pull.bot]},
            created_at=_iso(opened),
            updated_at=_iso(pull.merged_at),
            merged_at=_iso(pull.merged_at),
            closed_at=_iso(pull.merged_at),
            merge_commit_sha=pull.merge_sha,
            head=head,
            commits=pull.commits or int(random.geometric(0.4)),
            additions=pull.additions,
            deletions=pull.deletions,
            changed_files=pull.changed_files,
            files=[
                {"filename": file.path, "status": file.status, "additions": file.additions,
                 "deletions": file.deletions}
                for file in pull.files or ()
            ],
        )  # fmt: skip


def folded(events: Iterable[Pull]) -> Folded:
    """Every row as of just before its pull's merge, and the model with what is usual there."""
    rows: dict[int, NDArray[np.float32]] = {}
    history = None
    for pull in events:
        history = history or RepositoryHistory(pull.repository)
        if pull.number > 0 and pull.merged_at is not None:
            rows[pull.number] = _row(history, pull)
        history.observe(pull)
    assert history is not None
    usual = np.stack(list(rows.values())[-USUAL_PULLS:])
    return Folded(rows, general_bundle().recalibrated_for(history.repository, usual))


def as_opened(
    events: Iterable[Pull], told: dict[int, Pull], numbers: list[int]
) -> list[NDArray[np.float32]]:
    """Rows of pulls as GitHub tells them, each against the clone's history before its merge."""
    wanted, rows, history = set(numbers), {}, None
    for pull in events:
        history = history or RepositoryHistory(pull.repository)
        if pull.number in wanted:
            rows[pull.number] = _row(history, told[pull.number])
        history.observe(pull)
    return [rows[number] for number in numbers]


def scored(bundle: Bundle, name: str, rows: list[NDArray[np.float32]]) -> Scores:
    """The answers for rows of one repository."""
    return bundle.score(np.stack(rows), name)


def correlation(some: Scores, others: Scores) -> float:
    """Spearman's rank correlation of the risks."""
    return float(stats.spearmanr(some.risk, others.risk).statistic)


def differing(some: Scores, others: Scores) -> float:
    """The share of pulls in another band."""
    return float(np.mean(np.array(some.bands) != np.array(others.bands)))


def told(compared: Compared) -> str:
    """One line for each repository and its quartiles of novelty."""
    quartiles = "; ".join(
        f"{source} {' '.join(f'{value:.0f}' for value in values)}"
        for source, values in compared.quartiles.items()
    )
    return (
        f"{compared.repository}: {compared.pulls} pulls, rank correlation "
        f"{compared.correlation:.3f} (on the clone's history {compared.correlation_open:.3f}), "
        f"bands that differ {compared.bands:.1%} ({compared.bands_open:.1%}), "
        f"novelty quartiles: {quartiles}"
    )


def _row(history: RepositoryHistory, pull: Pull) -> NDArray[np.float32]:
    assert pull.merged_at is not None
    return np.frombuffer(ROW.pack(*history.features(pull, as_of=pull.merged_at)), np.float32)


def _iso(moment: Any) -> str:  # noqa: ANN401  (a datetime, formatted as GitHub does)
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


if __name__ == "__main__":
    sys.exit(main())
