"""`pullrisk synth`: synthetic pull requests, for tests of scale."""

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, TypeAlias, cast

import typer

from pullrisk.cli import options
from pullrisk.cli.output import say
from pullrisk.cli.session import Session
from pullrisk.errors import InputError

if TYPE_CHECKING:
    from pullrisk.pulls.record import Pull

STDOUT: Final = "-"
_BATCH: Final = 2_000

Pulls: TypeAlias = Annotated[
    int, typer.Option("--pulls", min=1, metavar="N", help="How many pull requests.")
]
Repositories: TypeAlias = Annotated[
    int, typer.Option("--repositories", min=1, metavar="M", help="Of how many repositories.")
]
Seed: TypeAlias = Annotated[
    int, typer.Option(min=0, metavar="S", help="Equal seeds give equal pull requests.")
]
Skew: TypeAlias = Annotated[
    float,
    typer.Option(min=0, max=4, help="The n-th repository is as large as 1 / n^skew; 0 = equal."),
]
MeanFiles: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--mean-files", min=1, max=100, metavar="X", show_default=False,
        help="Stretch the numbers of files to this mean; the sample's unless given.",
    ),
]  # fmt: skip
Output: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", show_default=False,
        help="A file (.gz is compressed), or - for standard output, the default.",
    ),
]  # fmt: skip
ToStore: TypeAlias = Annotated[
    bool, typer.Option("--to-store", help="Write straight into the pull store instead.")
]


def run(
    pulls: Pulls,
    repositories: Repositories = 10,
    seed: Seed = 0,
    skew: Skew = 0.8,
    mean_files: MeanFiles = None,
    output: Output = None,
    to_store: ToStore = False,
    home: options.Home = None,
    quiet: options.Quiet = False,
) -> None:
    """Make synthetic pull requests, drawn from the bundled sample's distributions.

    They are GitHub's REST objects, one a line. Their owner is [bold]synthetic[/bold], so that
    they can never be taken for real ones.

    [bold]Examples[/bold]

      pullrisk synth --pulls 100000 --repositories 20 --output pulls.jsonl.gz

      pullrisk synth --pulls 1000000 --to-store --home /tmp/scale
    """
    from pullrisk import synth

    if to_store and output is not None:
        raise typer.BadParameter("name either --output or --to-store")
    if repositories > pulls:
        raise typer.BadParameter("there cannot be more repositories than pull requests")
    made = synth.pulls(
        pulls, repositories=repositories, seed=seed, skew=skew, mean_files=mean_files
    )
    with Session.open(home=home, quiet=quiet) as session:
        batches = _shown(session, made, total=pulls)
        if to_store:
            for batch in batches:
                session.store.upsert(batch)
        else:
            _write(output or STDOUT, batches)
    if output != STDOUT and (output or to_store):
        say(f"{pulls:,} synthetic pull requests written")


def _shown(session: Session, made: "Iterator[Pull]", *, total: int) -> "Iterator[list[Pull]]":
    with session.progress.task("Making pull requests", total=total, unit="pulls") as task:
        while batch := list(islice(made, _BATCH)):
            yield batch
            task.advance(len(batch))


def _write(output: str, batches: "Iterable[list[Pull]]") -> None:
    from pullrisk.synth import rest_line

    try:
        with _opened(output) as file:
            for batch in batches:
                file.write(b"".join(rest_line(pull) + b"\n" for pull in batch))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from error


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """The output; a file appears under its name only when it is complete."""
    if output == STDOUT:
        yield sys.stdout.buffer
        return
    partial = Path(f"{output}.partial")
    try:
        with gzip.open(partial, "wb", 1) if output.endswith(".gz") else partial.open("wb") as file:
            yield cast("BinaryIO", file)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
