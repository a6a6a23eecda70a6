"""`.github/pullrisk.yml`: what it may say, and how it says what is wrong."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.rest import parse_rest
from pullrisk.repository_config.globs import PathGlobs, matches
from pullrisk.repository_config.options import (
    DEFAULTS,
    Bands,
    RepositoryConfig,
    Skip,
    Threshold,
    json_schema,
)
from pullrisk.repository_config.reading import ConfigError, parse
from pullrisk.repository_config.rules import bands_of, reason_to_skip

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "docs" / "pullrisk.schema.json"
FULL = b"""
exclude: ["*.lock", vendor/]
skip: {authors: [renovate*], bots: true, drafts: false, labels: [wip], branches: [release/*],
       bases: [gh-pages], titles: ["*backport*"]}
bands: {high: 0.1, elevated: 0.2}
thresholds:
  - paths: [payments/**]
    bands: {high: 0.3, elevated: 0.3}
comment: off
labels: {prefix: "risk/", bands: [high]}
fail_on: high
"""


def pull(**fields: object) -> Pull:
    moment = "2026-01-01T00:00:00Z"
    rest = {"number": 7, "created_at": moment, "updated_at": moment}
    own = parse_rest(msgspec.json.encode(rest), repository="o/r")
    return msgspec.structs.replace(own, **fields)


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    assert SCHEMA.read_bytes() == json_schema()


def test_a_full_file_is_read_and_fits_the_schema(tmp_path: Path) -> None:
    config = parse(FULL)
    assert config.comment == "off"
    assert config.thresholds[0].bands.high == 0.3
    file = tmp_path / "pullrisk.yml"
    file.write_bytes(FULL)
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA), str(file)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"---\n"])
def test_an_empty_file_is_the_defaults(text: bytes) -> None:
    assert parse(text) == DEFAULTS


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("coment: always", 1, "unknown key coment: did you mean comment?"),
        ("skip:\n  authors: [a]\n  author: b", 3, "skip.author: did you mean authors?"),
        ("exclude: []\ncomment: often", 2, "it may be always, elevated, high, off"),
        ("bands:\n  high: 12", 2, "bands.high"),
        ("bands: {high: 0.9, elevated: 0.5}", 1, "below 1"),
        ("thresholds:\n  - paths: [a]\n    bands: {hgih: 0.1}", 3, "thresholds[0].bands.hgih"),
        ("exclude:\n  - 3", 2, "exclude[0]"),
        ("exclude: a\nexclude: b", 2, "twice"),
        ("exclude: [", 1, "not YAML"),
        ("- a", 1, "the file"),
        ("exclude: !!python/object:os.system x", 1, "exclude"),
        ("? [a]\n: b", 1, "one word"),
    ],
)
def test_an_error_names_key_and_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode())
    assert caught.value.line == line
    assert words in str(caught.value)


def bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(lines).encode()


@pytest.mark.timeout(60)  # read as it says, the bomb would take hours and all memory
@pytest.mark.parametrize("text", [b"\xff\xfe", bomb(), b"[" * 5_000, b"a" * 70_000, b"a: \x00"])
def test_a_hostile_file_is_refused_at_once(text: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.lock", "a/b.lock", True),
        ("/*.lock", "a/b.lock", False),
        ("vendor/", "x/vendor/a.py", True),
        ("vendor/**", "vendor/a/b.py", True),
        ("vendor/**", "x/vendor/a.py", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("docs/*.md", "docs/x/a.md", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].py", "b.py", True),
    ],
)
def test_a_glob_is_read_as_git_reads_it(pattern: str, path: str, expected: bool) -> None:
    assert PathGlobs([pattern]).match(path) is expected


def test_the_last_pattern_that_matches_decides() -> None:
    assert not PathGlobs(["*.py", "!keep.py"]).match("a/keep.py")


@pytest.mark.timeout(60)  # an expression that goes back would take years
def test_no_path_or_title_makes_a_pattern_slow() -> None:
    assert not PathGlobs(["a/**/b/**/c/**/d/**/z"]).match("a/" + "b/c/d/" * 600)
    assert not matches(["*a" * 12 + "b"], "a" * 100_000)


@pytest.mark.parametrize(
    ("skip", "fields", "words"),
    [
        (Skip(), {"draft": True}, "draft"),
        (Skip(authors=("dependabot[bot]",)), {"author": "Dependabot[bot]"}, "author"),
        (Skip(bots=True), {"bot": True}, "bot"),
        (Skip(labels=("wip*",)), {"labels": ("bug", "WIP-2")}, "label"),
        (Skip(branches=("release/*",)), {"head_ref": "release/2"}, "branch"),
        (Skip(bases=("gh-pages",)), {"base_ref": "gh-pages"}, "branch"),
        (Skip(titles=("*backport*",)), {"title": "[2.x]  Backport of it"}, "title"),
    ],
)
def test_what_is_skipped_is_skipped_with_a_reason(
    skip: Skip, fields: dict[str, object], words: str
) -> None:
    reason = reason_to_skip(RepositoryConfig(skip=skip), pull(**fields))
    assert reason is not None
    assert words in reason
    assert reason_to_skip(RepositoryConfig(skip=skip), pull()) is None


def test_thresholds_by_path_widen_the_bands() -> None:
    wide = Threshold(paths=("pay/",), bands=Bands(high=0.3, elevated=0.1))
    wider = Threshold(paths=("*.sql",), bands=Bands(high=0.1, elevated=0.6))
    config = RepositoryConfig(thresholds=(wide, wider))
    assert bands_of(config, pull(files=(ChangedFile("a.py"),))) == Bands()
    both = bands_of(config, pull(files=(ChangedFile("pay/x.sql"),)))
    assert both == Bands(high=0.3, elevated=0.6)
