"""Scans every tracked file for credentials, as gitleaks does: shapes, assignments, entropy."""

import gzip
import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pullrisk.redaction import SHAPES

ROOT = Path(__file__).parents[1]
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


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git repository")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def findings(text: str) -> Iterator[str]:
    """What in the text looks like a credential, each with its kind, cut short."""
    for found in ANY_SHAPE.finditer(text):
        key = KEY.match(found[0])
        body = key[1] if key else found[0]
        if random(body) and (key or not body.startswith("-----")):
            yield f"shape: {found[0][:12]}..."
    for found in URI.finditer(text):
        if not MADE_UP.match(found[1]):
            yield f"URI with a password: {found[1][:4]}..."


def assignments(text: str) -> Iterator[str]:
    """Literals that a credential's name is given."""
    for found in NAMED.finditer(text):
        if random(found[1]):
            yield f"assignment: {found[1][:8]}..."


def entropy(text: str) -> float:
    """Shannon's entropy in bits per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def random(text: str) -> bool:
    """Whether it looks drawn at random: made-up examples count up, repeat themselves or speak."""
    pieces = {text[at : at + 4] for at in range(len(text) - 3)}
    made_up = "0123456789" in text or "wrong" in text or len(pieces) < 0.7 * (len(text) - 3)
    mixed = re.search(r"\d", text) and re.search(r"[A-Za-z]", text)
    return bool(mixed) and entropy(text) > RANDOM and not made_up


def test_no_tracked_file_holds_a_credential() -> None:
    found = {}
    for path in tracked():
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
        leaks = list(findings(text))
        if path.suffix != ".gz":  # what people wrote in public is full of names of secrets
            leaks += assignments(text)
        if leaks:
            found[str(path.relative_to(ROOT))] = leaks
    assert found == {}


@pytest.mark.parametrize(
    "leak",
    [
        "token = ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx",
        "hvs." + "CAESIJdxkV3mTq9pL2wZ8rYbNcUeHfGaSdKjQoPiMuTz",
        "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzT9qLm3v8B",
        "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAxV3mTq9pL2wZ8rYbNcUe",
        "mongodb://admin:" + "Xk29fQpL7vTz@db.example/pulls",
        'api_key: "' + "9f8e7d6c5b4a39281706f5e4d3c2b1a0" + '"',
        "dop_v1_" + "9f8e7d6c5b4a39281706f5e4d3c2b1a09f1e2d3c4b5a69788796a5b4c3d2e1f0",
    ],
)
def test_the_scan_finds_what_it_looks_for(leak: str) -> None:
    text = f"before\n{leak}\nafter"
    assert [*findings(text), *assignments(text)]


@pytest.mark.parametrize(
    "text",
    [
        "password = settings.mlflow_password",
        "secret_id_file: Path | None = None",
        "mongodb://fetcher:password-{MARK}@127.0.0.1",
        "token_file = VAULT_JWT_FILE_of_the_service_account",
    ],
)
def test_the_scan_leaves_code_alone(text: str) -> None:
    assert [*findings(text), *assignments(text)] == []
