"""Credentials in Git's history, found as gitleaks finds them: shapes, assignments, entropy."""

import gzip
import math
import re
from collections import Counter
from collections.abc import Iterator

from delivery.git import Repository
from pullrisk.redaction import SHAPES

NAMED = re.compile(
    r"""(?ix)
    (?:password|passwd|secret|token|api_?key|access_?key|private_?key|credential) [\w.-]*
    ["']? \s* (?::=|=>|=|:) \s*
    ["']? ([A-Za-z0-9+/=_.~-]{20,}) ["']?
    """
)
"""A name of a credential with a literal of 20 characters or more."""
ANY_SHAPE = re.compile("|".join(SHAPES.values()))
KEY = re.compile(r"-----BEGIN [A-Z ]*KEY-----(?:\s|\\n|\\r)*([A-Za-z0-9+/=]{20,})")
URI = re.compile(r"\w://[^\s/:@\"'{}<>$*]+:([^\s/@\"'{}<>$*]+)@")
"""A URI with a password."""
RANDOM = 3.7
"""Bits per character from which a literal looks drawn at random; words stay below."""
MADE_UP = re.compile(r"(?i)^(?:.{0,8}|of-[\w-]+|wrong.*|p(?:%\w\w|\w){0,4}ss(?:word)?\W?|.*%23.*)$")
"""Passwords of tests and examples: short ones, and words on purpose."""


def findings(text: str) -> Iterator[str]:
    """What in the text looks like a credential, each with its kind, cut short."""
    for match in ANY_SHAPE.finditer(text):
        key = KEY.match(match[0])
        body = key[1] if key else match[0]
        if random(body) and (key or not body.startswith("-----")):
            yield f"shape: {match[0][:12]}..."
    for match in URI.finditer(text):
        if not MADE_UP.match(match[1]):
            yield f"URI with a password: {match[1][:4]}..."


def assignments(text: str) -> Iterator[str]:
    """Literals that a credential's name is given."""
    for match in NAMED.finditer(text):
        if random(match[1]):
            yield f"assignment: {match[1][:8]}..."


def entropy(text: str) -> float:
    """Shannon's entropy in bits per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def random(text: str) -> bool:
    """Whether it looks drawn at random: made-up examples count up, repeat themselves or speak."""
    pieces = {text[at : at + 4] for at in range(len(text) - 3)}
    made_up = "0123456789" in text or "wrong" in text or len(pieces) < 0.7 * (len(text) - 3)
    mixed = re.search(r"\d", text) and re.search(r"[A-Za-z]", text)
    return bool(mixed) and entropy(text) > RANDOM and not made_up


def leaks(path: str, data: bytes) -> list[str]:
    """What in a file looks like a credential; what people wrote in public is not ours to name."""
    packed = path.endswith(".gz")
    text = (gzip.decompress(data) if packed else data).decode(errors="replace")
    return [*findings(text), *(() if packed else assignments(text))]


def search(repository: Repository, since: str | None) -> list[str]:
    """Findings in every file of every commit after `since`: one taken back later still leaked."""
    span = ["HEAD"] if since is None else ["HEAD", f"^{repository.commit(since)}"]
    objects = repository.text("rev-list", "--objects", *span).splitlines()
    named = {blob: path for blob, _, path in (line.partition(" ") for line in objects) if path}
    kinds = repository.git(
        "cat-file", "--batch-check=%(objecttype) %(objectname)", data="\n".join(named).encode()
    ).decode()
    files = [line.split()[1] for line in kinds.splitlines() if line.startswith("blob ")]
    return [
        f"{named[blob]} ({blob[:12]}): {leak}"
        for blob, data in repository.blobs(files).items()
        for leak in leaks(named[blob], data)
    ]
