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
    """The commit that it was built from, None if no commit of the bot wrote it."""


def message(stage: str, digest: str, source: str, *, reason: str | None = None) -> str:
    """The bot's commit message: what it did, why it went back, trailers that programs read."""
    verb = "Deploy" if reason is None else "Roll back"
    why = f"{reason}\n\n" if reason else ""
    return (
        f"{verb} {stage} {digest[7:19]}\n\n{why}"
        f"{STAGE}: {stage}\n{DIGEST}: {digest}\n{SOURCE}: {source}\n"
    )


def origin(repository: Repository, commit: str, stage: str) -> Origin:
    """The stage's digest at the commit, and what its history says of it.

    It decides what is built, never what is promoted: a promotion believes signatures alone.
    """
    digest = digests(repository.show(commit, KUSTOMIZATION) or "{}")[stage]
    return Origin(stage, digest, built_from(repository, commit, stage, digest))


def built_from(repository: Repository, commit: str, stage: str, digest: str) -> str | None:
    """The commit that the bot's last commit of this digest names; None if there is none."""
    trailers = "%(trailers:key={},valueonly,separator=%x2C)".format
    form = "%x1f".join(trailers(key) for key in (STAGE, DIGEST, SOURCE))
    text = repository.text(
        "log", "-n1", "-F", f"--grep={DIGEST}: {digest}", f"--format={form}", commit
    )
    named_stage, named_digest, source = (*text.split("\x1f"), "", "", "")[:3]
    if (named_stage, named_digest) != (stage, digest) or repository.resolve(source) is None:
        return None
    return source
