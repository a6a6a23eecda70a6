"""Where a digest comes from: the bot's commit that wrote it says which commit it was built from."""

from dataclasses import dataclass
from typing import Final

from delivery.git import Repository
from delivery.kustomization import digests
from delivery.stages import KUSTOMIZATION

SOURCE: Final = "Source-Commit"
DIGEST: Final = "Digest"
STAGE: Final = "Stage"


@dataclass(frozen=True)
class Origin:
    """One digest that a branch runs."""

    stage: str
    digest: str
    source: str | None
    """The commit that it was built from, None where no commit of the bot wrote it."""


def message(stage: str, digest: str, source: str) -> str:
    """The bot's commit message: what it did, and trailers that programs read."""
    return (
        f"Deploy {stage} {digest[7:19]}\n\n"
        f"{STAGE}: {stage}\n{DIGEST}: {digest}\n{SOURCE}: {source}\n"
    )


def origin(repository: Repository, commit: str, stage: str) -> Origin:
    """The stage's digest at the commit, and what its history says of it.

    It decides what is built, never what is promoted: a promotion believes signatures alone.
    """
    digest = digests(repository.show(commit, KUSTOMIZATION) or "{}")[stage]
    trailers = "%(trailers:key={},valueonly,separator=%x2C)".format
    form = "%x1f".join(trailers(key) for key in (STAGE, DIGEST, SOURCE))
    text = repository.text(
        "log", "-n1", "-F", f"--grep={DIGEST}: {digest}", f"--format={form}", commit
    )
    said, _, rest = text.partition("\x1f")
    which, _, source = rest.partition("\x1f")
    told = (said, which) == (stage, digest) and repository.resolve(source) is not None
    return Origin(stage, digest, source if told else None)
