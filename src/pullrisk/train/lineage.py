"""Where a model comes from: code, data, features, labels; as tags of a run and of a version."""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Final

from pullrisk.features import SCHEMA_HASH
from pullrisk.pulls.outcomes import LABEL_DEFINITION
from pullrisk.train.dataset import MICROSECONDS_PER_DAY, Dataset

COMMIT_VARIABLE: Final = "GIT_COMMIT"
"""Where an image names the commit that it was built from."""


def lineage(dataset: Dataset, source: Mapping[str, str]) -> dict[str, str]:
    """What made a model, by tag: the `source` (a lake and its Delta `version`) and the rest."""
    days = dataset.maturity / MICROSECONDS_PER_DAY
    return {
        **{f"dataset_{name}": value for name, value in source.items()},
        "dataset_rows": str(len(dataset)),
        "schema_hash": SCHEMA_HASH,
        "label_definition": label_definition(days),
        **_code(),
    }


def label_definition(maturity_days: float) -> str:
    """The version of the rules that find repairs and reverts, and the maturity window, as in
    `4 repaired or reverted 90d`.
    """
    return f"{LABEL_DEFINITION} repaired or reverted {maturity_days:g}d"


def _code() -> dict[str, str]:
    tags = {}
    with suppress(PackageNotFoundError):
        tags["pullrisk_version"] = version("pullrisk")
    commit = os.environ.get(COMMIT_VARIABLE, "").strip() or _checkout()
    return tags | ({"git_commit": commit} if commit else {})


def _checkout() -> str | None:
    """The commit of this code, where Git tracks this very file; `-dirty` where it was changed.

    An installation inside somebody else's checkout is not of that checkout.
    """
    git, file = which("git"), Path(__file__)
    if git is None:
        return None

    def ask(*arguments: str) -> str | None:
        command = [git, "-C", str(file.parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", file.name) is None:
        return None
    commit, changes = ask("rev-parse", "HEAD"), ask("status", "--porcelain", "--", "..")
    return f"{commit}-dirty" if commit and changes else commit
