"""Recognise which pull requests the message of a commit says that it merged."""

import re
from typing import Final

import msgspec

from pullrisk.fetch.git.log import Commit

_N: Final = r"#(?P<number>\d{1,9})"
_GITHUB: Final = re.compile(
    rf"Merge(?:d)? (?:pull request|PR) {_N}(?!\d)"
    r"(?:\s+from\s+(?:(?P<owner>[\w.-]+)/)?(?P<branch>\S+)|: (?P<title>.+))?",
    re.IGNORECASE,
)
_HOMU: Final = re.compile(
    rf"(?P<kind>Auto merge|Rollup merge) of {_N}(?: - (?P<owner>[\w.-]+):(?P<branch>[^\s,]+))?"
)
_BORS: Final = re.compile(rf"Merge (?:[\w.-]+/[\w.-]+)?{_N}(?:: (?P<title>.+))?$")
_BATCH: Final = re.compile(r"Merge #\d{1,9}(?: #\d{1,9}){1,99}$")
_BORS_TITLE: Final = re.compile(r"^(?P<number>\d{1,9}): (?P<title>.*?)(?: r=\S.*)?$", re.MULTILINE)
_APACHE: Final = re.compile(
    rf"^(?:This )?closes {_N} from (?P<owner>[\w.-]+)/(?P<branch>\S+?)[.,]?(?:\s|$)",
    re.IGNORECASE | re.MULTILINE,
)
# The last number is the pull's own: Revert "Add a thing (#12)" (#34) is pull 34.
_SQUASH: Final = re.compile(r"\((?:#|GH-)(?P<number>\d{1,9})\)(?:\.|(?: ?\[[\w -]{1,20}\]){1,3})?$")
_SQUASH_LENGTH: Final = len("(GH-123456789)") + 3 * len(" [12345678901234567890]")
_NAMED: Final = re.compile(
    rf"^Merge\b.{{0,500}}?(?<!fixes)(?<!fixed)(?<!closes)(?<!closed)(?<!fix)(?<!see) {_N}$",
    re.IGNORECASE,
)
_WRAPPED: Final = 40
"""Characters of a first line from which on the second may be the rest of a wrapped subject."""
_WRAPPED_LINES: Final = 3


class Merge(msgspec.Struct, frozen=True):
    """What the message of a commit says about the pull request that it merged.

    `form` is `merge` (a message that only a tool writes for a pull), `rollup` (one of several
    pulls that a further merge brings in) or `squash` (a number at the end of a subject, which
    people write too).
    """

    number: int
    title: str
    body: str
    head_owner: str | None = None
    head_ref: str | None = None
    form: str = "squash"


def merges_of(commit: Commit) -> tuple[Merge, ...]:
    """The pull requests that the commit says it merged; several of a batch of bors.

    Knows the messages of GitHub (also of its merge queue, and with the pull's title as subject),
    homu, bors, the merge scripts of Apache and bitcoin, and the subjects of squash merges.
    """
    if "#" not in commit.message and "GH-" not in commit.message:
        return ()
    if _BATCH.match(commit.subject):
        return _batch(commit)
    merge = _by_tool(commit) or _by_script(commit) or _by_subject(commit)
    return (merge,) if merge is not None and merge.number > 0 else ()


def _by_tool(commit: Commit) -> Merge | None:
    subject, text = commit.subject, commit.text
    if match := _GITHUB.match(subject):
        title, body = (match["title"], text) if match["title"] else _first_line(text)
        return Merge(int(match["number"]), title, body, match["owner"], match["branch"], "merge")
    if match := _HOMU.match(subject):
        title, body = _first_line(text)
        form = "rollup" if match["kind"].startswith("Rollup") else "merge"
        return Merge(int(match["number"]), title, body, match["owner"], match["branch"], form)
    if match := _BORS.match(subject):
        if match["title"]:
            return Merge(int(match["number"]), match["title"], text, form="merge")
        title, body = _first_line(text)
        titled = _BORS_TITLE.match(title)
        title = titled["title"].strip() if titled else title
        return Merge(int(match["number"]), title, body, form="merge")
    return None


def _by_script(commit: Commit) -> Merge | None:
    """A commit of Apache's merge script: it names the pull at the end of its message."""
    match = _APACHE.search(commit.text) if " from " in commit.text else None
    if match is None:
        return None
    title = commit.subject
    return Merge(int(match["number"]), title, commit.text, match["owner"], match["branch"], "merge")


def _by_subject(commit: Commit) -> Merge | None:
    subject, text = _unwrapped(commit)
    if match := _SQUASH.search(subject, max(0, len(subject) - _SQUASH_LENGTH)):
        return Merge(int(match["number"]), subject[: match.start()].rstrip(), text)
    if len(commit.parents) > 1 and (match := _NAMED.match(commit.subject)):
        title, body = _first_line(commit.text)
        return Merge(int(match["number"]), title or commit.subject, body)
    return None


def _batch(commit: Commit) -> tuple[Merge, ...]:
    titles = {int(match["number"]): match["title"] for match in _BORS_TITLE.finditer(commit.text)}
    numbers = dict.fromkeys(int(word) for word in commit.subject[len("Merge #") :].split(" #"))
    return tuple(
        Merge(number, titles.get(number, "").strip(), "", form="merge") for number in numbers
    )


def _unwrapped(commit: Commit) -> tuple[str, str]:
    """Subject and text; a subject that goes on in the next lines is joined."""
    subject, text = commit.subject, commit.text
    if _SQUASH.search(subject, max(0, len(subject) - _SQUASH_LENGTH)):
        return subject, text
    head, _, rest = commit.message.replace("\r\n", "\n").partition("\n\n")
    lines = [line.strip() for line in head.split("\n")]
    if subject.endswith(("…", "...")) and rest.startswith(("…", "...")):
        more, _, rest = rest.partition("\n")
        return f"{subject.rstrip('….')}{more.lstrip('….')}".strip(), rest.strip()
    if 1 < len(lines) <= _WRAPPED_LINES and len(lines[0]) >= _WRAPPED:
        return " ".join(lines), rest.strip()
    return subject, text


def _first_line(text: str) -> tuple[str, str]:
    line, _, rest = text.partition("\n")
    return line.strip(), rest.strip()
