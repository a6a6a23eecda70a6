"""An index of a repository's merged pulls and pushes: rows by number, commit or title."""

import re
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from pullrisk.pulls.outcomes.text import CURLY
from pullrisk.pulls.outcomes.titles import split_number, without_emoji
from pullrisk.pulls.record import ChangedFile, Pull

_UNKNOWN: Final = 0xFFFF_FFFF
_CUT: Final = 36
"""Characters of its key that a shortened title must have in common with the full one."""
_TAGS = re.compile(r"(?:\s?\[[^\]]{0,60}\])+\s?")
_EMOJI_CODE = re.compile(r":[a-z0-9_+-]{2,30}: ?")
_TYPE = re.compile(r"(?!re)[a-z]{2,12}(?:\([^)]{0,40}\))?!?: ", re.IGNORECASE)
_DROPPED: Final = b" \t\r\n\"'`.,:;-_!*()[]<>"
_CURLY = str.maketrans("", "", CURLY + "…")
_NO_FILES: Final = (0, 0, 0, 0)
_OWN: Final = Struct("<II")
_ROW: Final = Struct("<qIIIIIIHHHHHHB")


class Row(NamedTuple):
    """One merged pull or direct push; its keys are digests, 0 if there is nothing to digest.

    `commits` is 0 if unknown, and 255 at most.
    """

    number: int
    title: int
    opening: int
    merge: int
    head: int
    additions: int
    deletions: int
    base: int
    tags: int
    file_1: int
    file_2: int
    file_3: int
    file_4: int
    commits: int


class MergedPullIndex:
    """An append-only table with 45 bytes for each pull or push, and look-up tables over it.

    Beside it stand the commits that merges brought in, eight bytes each.

    The look-up tables are brought up to date only when something is looked up, which few pulls
    need. A new index takes the `rows` and `own_commits` of another; ValueError if they are damaged.
    """

    def __init__(self, rows: bytes = b"", own_commits: bytes = b"") -> None:
        if len(rows) % _ROW.size:
            raise ValueError(f"rows of {len(rows)} bytes, expected a multiple of {_ROW.size}")
        if len(own_commits) % _OWN.size:
            raise ValueError(f"{len(own_commits)} bytes of commits, expected pairs of numbers")
        self._rows, self._own = bytearray(rows), bytearray(own_commits)
        self._indexed = self._opened = self._owned = 0
        self._by_own_commit: dict[int, int] = {}
        self._by_number: dict[int, int] = {}
        self._by_commit: dict[int, int] = {}
        self._by_title: dict[int, int] = {}
        self._by_opening: dict[int, int] = {}
        self._older_by_title: dict[int, int] = {}
        self._older_by_opening: dict[int, int] = {}

    @property
    def rows(self) -> bytes:
        """A copy of the table."""
        return bytes(self._rows)

    @property
    def own_commits(self) -> bytes:
        """A copy of the list of commits that merges brought in."""
        return bytes(self._own)

    def append(self, pull: Pull) -> None:
        """Add a merged pull or a direct push."""
        title, added, deleted = pull.title, pull.additions, pull.deletions
        if pull.own_commits:
            at = len(self._rows) // _ROW.size
            self._own += b"".join(_OWN.pack(commit_key(sha), at) for sha in pull.own_commits)
        key = title_key(title)
        self._rows += _ROW.pack(
            pull.number,
            crc32(key),
            crc32(key[:_CUT]),
            commit_key(pull.merge_sha),
            commit_key(pull.head_sha),
            _UNKNOWN if added is None or added > _UNKNOWN else added,
            _UNKNOWN if deleted is None or deleted > _UNKNOWN else deleted,
            short_key(pull.base_ref),
            tags_key(title) if title[:1] == "[" else 0,
            *(_NO_FILES if pull.commits == 1 else _sample(pull.files)),
            min(pull.commits or 0, 255),
        )

    def by_number(self, number: int) -> Row | None:
        """The merged pull with that number, or None."""
        self._update()
        at = self._by_number.get(number)
        return None if at is None else self._row(at)

    def by_commit(self, sha: str) -> Row | None:
        """The pull whose merge commit, head commit or own commit starts with these 7 to 40 digits,
        or None.
        """
        self._update()
        at = self._by_commit.get(int(sha[:7], 16))
        if at is not None:
            row = self._row(at)
            if len(sha) < 8 or int(sha[:8], 16) in (row.merge, row.head):
                return row
        at = self._own_commit(sha)
        return None if at is None else self._row(at)

    def by_title(self, title: str) -> Iterator[Row]:
        """Pulls with that title, the latest first; for a title that was cut off, those that begin
        with it.
        """
        self._update()
        key, older = title_key(title), self._older_by_title
        at = self._by_title.get(crc32(key)) if key else None
        if at is None and title.endswith(("…", "...")) and len(key) > _CUT:
            self._update_openings()
            at, older = self._by_opening.get(crc32(key[:_CUT])), self._older_by_opening
        while at is not None:
            yield self._row(at)
            at = older.get(at)

    def _own_commit(self, sha: str) -> int | None:
        commits = self._by_own_commit
        for key, at in _OWN.iter_unpack(self._own[self._owned :]):
            commits.setdefault(key, at)
            commits.setdefault(-(key >> 4), at)
        self._owned = len(self._own)
        return commits.get(-int(sha[:7], 16) if len(sha) < 8 else int(sha[:8], 16))

    def _row(self, at: int) -> Row:
        return Row._make(_ROW.unpack_from(self._rows, at * _ROW.size))

    def _update(self) -> None:
        numbers, commits, titles = self._by_number, self._by_commit, self._by_title
        fresh = self._rows[self._indexed * _ROW.size :]
        for at, fields in enumerate(_ROW.iter_unpack(fresh), self._indexed):
            number, title, _, merge, head = fields[:5]
            numbers[number] = at
            if title in titles:
                self._older_by_title[at] = titles[title]
            titles[title] = at
            commits.setdefault(head >> 4, at)
            commits[merge >> 4] = at
        self._indexed = len(self._rows) // _ROW.size
        commits.pop(0, None)

    def _update_openings(self) -> None:
        fresh = self._rows[self._opened * _ROW.size :]
        for at, fields in enumerate(_ROW.iter_unpack(fresh), self._opened):
            opening = fields[2]
            if opening in self._by_opening:
                self._older_by_opening[at] = self._by_opening[opening]
            self._by_opening[opening] = at
        self._opened = len(self._rows) // _ROW.size


def title_key(title: str) -> bytes:
    """The title without tags, type, number, punctuation, case and blanks: equal for spellings of
    one title.
    """
    if not title.isascii():
        title = without_emoji(title.translate(_CURLY))
    if title[:1] == ":":
        title = _EMOJI_CODE.sub("", title, count=1)
    if title[:1] == "[":
        title = _TAGS.sub("", title, count=1)
    if ": " in title and (match := _TYPE.match(title)):
        title = title[match.end() :]
    while "(#" in title:
        shorter = split_number(title)[0]
        if len(shorter) >= len(title):
            break
        title = shorter
    return title.lower().encode("utf-8", "replace").translate(None, _DROPPED)


def commit_key(sha: str | None) -> int:
    """The first eight digits of a commit as a number; 0 for None and for what is no commit."""
    try:
        return int(sha[:8], 16) & _UNKNOWN if sha and len(sha) >= 8 else 0
    except ValueError:
        return 0


def short_key(text: str | None) -> int:
    """A 16-bit digest of a branch, a path or a tag; 0 for None and the empty text."""
    return crc32(text.encode("utf-8", "replace")) & 0xFFFF or 1 if text else 0


def tags_key(title: str) -> int:
    """A digest of the tags at the beginning of a title, as in "[2.x] …"; 0 if there are none."""
    match = _TAGS.match(title)
    return short_key(match[0].strip().lower()) if match else 0


def _sample(files: tuple[ChangedFile, ...] | None) -> tuple[int, ...]:
    """Digests of four files, evenly spread over the list; filled up with 0."""
    if not files:
        return _NO_FILES
    count = len(files)
    if count > 4:
        files = files[0], files[count // 3], files[2 * count // 3], files[-1]
    keys = [crc32(file.path.encode("utf-8", "replace")) & 0xFFFF or 1 for file in files]
    return (*keys, 0, 0, 0)[:4]


def mirrors(row: Row, pull: Pull, *, least: int) -> bool:
    """Whether `pull` takes back the lines of `row` and nothing else, `least` of them or more."""
    if (
        pull.additions is None
        or pull.deletions is None
        or _UNKNOWN in (row.additions, row.deletions)
    ):
        return False
    undone = min(row.additions, pull.deletions) + min(row.deletions, pull.additions)
    most = max(row.additions + row.deletions, pull.additions + pull.deletions)
    return most >= least and undone >= 0.9 * most


def undone_share(row: Row, pull: Pull) -> tuple[float | None, float | None]:
    """Upper bounds of the shares of `row`'s lines and files that `pull` takes back, 0 to 1.

    None for what is unknown on either side. Files are compared by a sample of at most four,
    which is kept only for pulls with several commits.
    """
    lines = files = None
    sizes = (row.additions, row.deletions)
    if pull.additions is not None and pull.deletions is not None and _UNKNOWN not in sizes:
        undone = min(row.additions, pull.deletions) + min(row.deletions, pull.additions)
        lines = undone / sum(sizes) if sum(sizes) else 1.0
    sample = [key for key in row[-5:-1] if key]
    if sample and pull.files is not None:
        names = {file.path for file in pull.files}
        names |= {file.previous_path for file in pull.files if file.previous_path}
        touched = {short_key(name) for name in names}
        files = sum(key in touched for key in sample) / len(sample)
    return lines, files
