"""Makes the general model that comes with the package: `make general-model`.

    python tools/general_model.py --clones FOLDER [--output FOLDER] [--home FOLDER]

FOLDER holds clones, bare or not; one whose origin is not on GitHub is named by its folder,
owner__name. They go through the ordinary stages: fetch with lines, preprocess, train. The model
that ships has learnt from all of it; how good that recipe is was measured twice with models that
had not: on the last quarter of each repository's time, and on repositories that the model never
saw.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pullrisk import atomic
from pullrisk.cli.display.models import print_evaluation
from pullrisk.cli.display.progress import progress as progress_display
from pullrisk.errors import InputError, ModelError, PullriskError
from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.salt import read_salt
from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.model.general import CARD_FILE, MODEL_FILE
from pullrisk.preprocess import preprocess
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.lineage import lineage
from pullrisk.train.pipeline import evaluate_bundle
from pullrisk.train.training import TrainSettings, train

LARGEST: Final = 3_000_000
"""Bytes that the model and its JSON may have together."""
COMMAND: Final = "make general-model CLONES=FOLDER"
FOLDS: Final = 3
"""Each repository is unseen in one of as many rounds."""
JUDGED: Final = "judged"
"""Folder of the home with the models that were judged: LATER, and UNSEEN of each round."""
LATER: Final = "later.onnx"
UNSEEN: Final = "unseen-{}.onnx"


class Source(msgspec.Struct, frozen=True):
    """One clone that the model learnt from, and the commit that its branch stood at."""

    name: str
    commit: str


class Unseen(msgspec.Struct, frozen=True):
    """Figures of a model on repositories that were left out of its training."""

    repositories: list[str]
    evaluation: Evaluation


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Beside general.onnx: how it was made, and how good the same recipe is on unseen pulls."""

    command: str = COMMAND
    sha256: str
    bytes: int
    pulls: int
    examples: int
    repaired: int
    reverted: int
    repositories: list[str]
    lineage: dict[str, str]
    data: list[Source]
    evaluation: Evaluation
    unseen: list[Unseen]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the model, and say where it is and how good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clones", type=Path, required=True, help="folder of clones")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parents[1] / "src" / "pullrisk" / "model"
    )
    parser.add_argument("--home", type=Path, help="keep store and lake here, and reuse them")
    options = parser.parse_args(arguments)
    display = progress_display(quiet=False)
    try:
        with tempfile.TemporaryDirectory(prefix="pullrisk-general-") as folder:
            home = options.home or Path(folder)
            bundle, card = make(options.clones, home, progress=display)
            write(bundle, card, options.output)
    except PullriskError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    _print(card, options.output)
    return 0


def make(clones: Path, home: Path, *, progress: Progress) -> tuple[Bundle, Card]:
    """The model and its card, from the clones in `clones`; store, lines and lake lie in `home`.

    Raises InputError where there is no clone, and what the stages raise.
    """
    paths = [path for path in sorted(clones.iterdir()) if path.is_dir()]
    if not paths:
        raise InputError(f"no clone in {clones}", hint="name their folder with --clones")
    home.mkdir(parents=True, exist_ok=True)
    lake, cores = Lake(home / "lake"), os.cpu_count() or 1
    others = ProcessPoolExecutor(min(FOLDS, cores), get_context("spawn"))  # Arrow runs threads
    with SqliteStore(home / "pulls.sqlite") as store, others:
        sources = [_read(path, store, home, progress=progress) for path in paths]
        preprocess(store, lake, workers=cores, progress=progress)
        table = lake.table()
        rounds = [others.submit(_on_unseen, home, left_out) for left_out in _left_out(table)]
        judged = _train(table, test=TrainSettings().test, progress=progress)
        _keep(judged, home, LATER)
        evaluation = evaluate_bundle(judged, table, read=store.events, progress=progress)
        bundle = _train(table, test=0.0, lake_version=str(lake.version), progress=progress)
        with progress.task("unseen repositories", total=len(rounds), unit="rounds") as task:
            unseen = []
            for each in rounds:
                unseen.append(each.result())
                task.advance()
    facts, dataset = bundle.metadata.facts, Dataset.from_table(table, NAMES)
    card = Card(
        sha256=sha256(bundle.data).hexdigest(),
        bytes=len(bundle.data),
        pulls=table.num_rows,
        examples=facts.examples,
        repaired=facts.repaired,
        reverted=facts.reverted,
        repositories=sorted(facts.trained_until),
        lineage=lineage(dataset, {"version": str(lake.version)}),
        data=sources,
        evaluation=evaluation,
        unseen=unseen,
    )
    return bundle, card


def _read(clone: Path, store: SqliteStore, home: Path, *, progress: Progress) -> Source:
    """Read a clone into the store, with its lines; what was read before is not read again."""
    git = Git(clone)
    name = git.github_name() or clone.name.removesuffix(".git").replace("__", "/", 1)
    fetch_git(
        clone,
        store,
        salt=read_salt(home / "salt"),
        progress=progress,
        repository=name,
        lines=home / "lines",
    )
    return Source(name, git.head(git.default_branch()))


def write(bundle: Bundle, card: Card, folder: Path) -> None:
    """Put both files in place. Raises ModelError where they are larger than LARGEST together."""
    text = msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n"
    size = len(text) + len(bundle.data)
    if size > LARGEST:
        raise ModelError(
            f"the general model has {size:,} bytes with its JSON, at most {LARGEST:,} may ship",
            hint="a smaller network, or shorter metadata",
        )
    atomic.replace(folder / MODEL_FILE, bundle.data)
    atomic.replace(folder / CARD_FILE, text)


def _train(
    table: pa.Table, *, test: float, lake_version: str | None = None, progress: Progress
) -> Bundle:
    """The ordinary training; `test` is the share of each repository's time that it leaves out."""
    return train(
        Dataset.from_table(table, NAMES),
        FEATURES,
        TrainSettings(test=test),
        schema_hash=SCHEMA_HASH,
        dataset_version=lake_version,
        progress=progress,
    ).bundle


def _left_out(table: pa.Table) -> list[list[str]]:
    """The repositories that each round leaves out; no round where they are too few."""
    names = sorted(pc.unique(table["repository"]).to_pylist())
    return [names[fold::FOLDS] for fold in range(FOLDS)] if len(names) >= FOLDS else []


def _on_unseen(home: Path, left_out: list[str]) -> Unseen:
    """Train on the other repositories and judge on those that are left out, one round.

    The baselines learn from the same others, all of which is the model's past.
    """
    table = Lake(home / "lake").table()
    outside = pc.is_in(table["repository"], value_set=pa.array(left_out, pa.string()))
    bundle = _train(table.filter(pc.invert(outside)), test=0.0, progress=Silent())
    _keep(bundle, home, UNSEEN.format(left_out[0].replace("/", "__")))
    return Unseen(left_out, evaluate_bundle(bundle, table, progress=Silent()))


def _keep(bundle: Bundle, home: Path, name: str) -> None:
    """Leave a model that was judged in the home, so that it can be judged by other labels too."""
    (home / JUDGED).mkdir(exist_ok=True)
    atomic.replace(home / JUDGED / name, bundle.data)


def _print(card: Card, folder: Path) -> None:
    print_evaluation(card.evaluation)
    for one in card.unseen:
        print(f"\nnever seen: {', '.join(one.repositories)}")
        print_evaluation(one.evaluation)
    print(f"\n{card.bytes:,} bytes, learnt from {card.pulls:,} pull requests: {folder}")


if __name__ == "__main__":
    sys.exit(main())
