"""Which lines of a source file are code, comment or blank, and what tokens its code has.

Only the languages of programs are known: markup, styles and data are no code here. A part of a
file is judged by what it shows itself.
"""

import re
from collections import Counter
from typing import Final, NamedTuple

from pullrisk.pulls.file_kinds import SOURCE, path_facts
from pullrisk.pulls.lines import TOKENS, ChangedLines
from pullrisk.pulls.text_cache import cache_texts

BLANK, COMMENT, CODE = range(3)
"""Kinds of lines."""
MOST_TOKEN_BYTES: Final = 1 << 18
"""Bytes of code whose tokens are counted on one side of a change; what follows is left out."""


class Language(NamedTuple):
    """How comments look: `lines` matches some lines of one kind, told by the number of its group.

    `tail` matches the end of a block comment that began before the text; it ends in `close`.
    """

    lines: re.Pattern[bytes]
    tail: re.Pattern[bytes] | None = None
    close: bytes = b""


@cache_texts(1 << 15)
def language_of(path: str) -> Language | None:
    """The language of a source file; None for tests, vendored, generated and other files."""
    facts = path_facts(path)
    if facts.kind != SOURCE or _GENERATED.search(path):
        return None
    return _BY_EXTENSION.get(facts.extension)


def line_runs(text: bytes, language: Language) -> list[tuple[int, bytes]]:
    """Kind and text of some lines of one kind at a time.

    Each line has one byte before it (the sign of a patch) and a line end behind it.
    """
    start = 0
    runs = []
    if language.tail is not None and language.close in text:
        tail = language.tail.match(text)
        if tail is not None:
            start = tail.end()
            runs.append((COMMENT, tail[0]))
    runs += [
        ((match.lastindex or 1) - 1, match[0]) for match in language.lines.finditer(text, start)
    ]
    return runs


class CodeCounter:
    """Counts lines by kind and the tokens of one side of a change."""

    def __init__(self) -> None:
        self.lines = [0, 0, 0]
        self._todo = 0
        self._code: list[bytes] = []
        self._left = MOST_TOKEN_BYTES

    def add(self, text: bytes, language: Language) -> bytes:
        """Count some lines, in the form of `line_runs`: returns a byte a line, 1 for code."""
        flags = []
        for kind, run in line_runs(text, language):
            count = run.count(b"\n")
            self.lines[kind] += count
            flags.append(_FLAGS[kind] * count)
            if kind == CODE and self._left > 0:
                self._left -= len(run)
                self._code.append(run)
        self._todo += len(_TODO.findall(text))
        return b"".join(flags)

    def tokens(self) -> tuple[int, ...]:
        """How many of each class of TOKENS there are in code, and words like TODO anywhere."""
        counts = dict.fromkeys(TOKENS, 0)
        text = b"".join(self._code)[:MOST_TOKEN_BYTES].lower()
        counts["condition"] = sum(map(text.count, _CONDITIONS))
        counts["null"] = text.count(b"?.")
        counts["todo"] = self._todo
        for word, count in Counter(_WORD.findall(text)).items():
            name = word.rstrip(b"(")
            token = _TOKEN_OF.get(name)
            if token is not None:
                counts[token] += count
            elif name[0] < _FIRST_LETTER:
                counts["number"] += count
            if name is not word and token not in _KEYWORDS:
                counts["call"] += count
        return tuple(counts.values())


class LineCounter:
    """Adds up the hunks of one change: a side at a time, in the form of `line_runs`."""

    def __init__(self) -> None:
        self._added, self._removed = CodeCounter(), CodeCounter()
        self._hunks = [0, 0, 0]

    def count_hunk(self, *, removed: int, added: int) -> None:
        """One hunk removes and adds so many lines."""
        self._hunks[2 if removed and added else 1 if removed else 0] += 1

    def remove(self, text: bytes, language: Language) -> bytes:
        """Count removed lines: returns a byte a line, 1 for code."""
        return self._removed.add(text, language)

    def add(self, text: bytes, language: Language) -> int:
        """Count added lines: returns how many are code."""
        return self._added.add(text, language).count(1)

    def counts(self) -> ChangedLines:
        """The counts so far, without origins."""
        added, removed = self._added, self._removed
        return ChangedLines(
            code_added=added.lines[CODE],
            code_removed=removed.lines[CODE],
            comments_added=added.lines[COMMENT],
            comments_removed=removed.lines[COMMENT],
            blanks_added=added.lines[BLANK],
            blanks_removed=removed.lines[BLANK],
            hunks_added=self._hunks[0],
            hunks_removed=self._hunks[1],
            hunks_changed=self._hunks[2],
            tokens_added=added.tokens(),
            tokens_removed=removed.tokens(),
        )


_FLAGS: Final = (b"\x00", b"\x00", b"\x01")
_TODO: Final = re.compile(rb"\b(?:TODO|FIXME|HACK|XXX)\b")
_CONDITIONS: Final = (b"&&", b"||", b" ? ")
_WORD: Final = re.compile(rb"[a-z_\x80-\xff][\w\x80-\xff]*\(?|\d[\w.]*")
_FIRST_LETTER: Final = ord("A")
_KEYWORDS: Final = frozenset(("condition", "loop", "error", "definition", "return"))
"""Classes of words that are no call if a parenthesis follows."""
_WORDS: Final = {
    "condition": "if else elif elsif elseif unless switch case match when guard and or",
    "loop": "for while loop each foreach until map filter reduce",
    "error": """try catch except rescue raise throw throws panic unwrap expect error err ensure
        finally defer recover""",
    "null": "none null nil undefined nullptr optional option some is_none is_some",
    "concurrency": """async await lock unlock mutex rwlock thread threads threading atomic
        goroutine chan channel synchronized volatile semaphore future promise spawn parallel
        concurrent waitgroup select go""",
    "input_output": """open read write close file path socket http request response url sql query
        exec execute connection client server stream""",
    "definition": """def fn func fun function class struct interface trait impl enum module type
        sub proc defmodule defp""",
    "import": "import include require require_relative use using package",
    "return": "return yield break continue",
}
_TOKEN_OF: Final = {
    word.encode(): token for token, words in _WORDS.items() for word in words.split()
}

_GENERATED: Final = re.compile(
    r"(\.pb\.(go|cc|h)|_pb2(_grpc)?\.pyi?|\.min\.[cm]?js|\.g\.dart|\.designer\.cs)$"
    r"|(^|/)zz_generated[^/]*$|(^|[/._-])generated[^/]*$",
    re.IGNORECASE,
)


def _language(
    *comments: bytes,
    block: tuple[bytes, bytes] | None = None,
    further: tuple[bytes, ...] = (),
    whole: tuple[bytes, ...] = (),
) -> Language:
    """`comments` are patterns of what makes a comment of a line, `block` opens and closes one.

    `further` are patterns of other comments, `whole` of those with the start of their line.
    A block comment counts from an opening at the start of a line only, since one behind code may
    be in a string ("src/**/*.py").
    """
    starts = [rb"(?:%s)[^\n]*\n" % start for start in comments]
    starts += [_block(*map(re.escape, block))] if block else []
    starts += further
    comment = b"|".join((*whole, rb"[-+][ \t\f\v]*(?:%s)" % b"|".join(starts)))
    lines = re.compile(rb"((?:[-+][ \t\f\v\r]*\n)++)|((?:%s)++)|([^\n]*\n)" % comment)
    if block is None:
        return Language(lines)
    before = rb"(?![^\n]*%s)[^\n]*" % re.escape(block[0])
    tail = re.compile(rb"(?:%s\n)*?%s%s[ \t\r]*\n" % (before, before, re.escape(block[1])))
    return Language(lines, tail, block[1])


def _block(opening: bytes, closing: bytes, *, seen: bool = False) -> bytes:
    """From the opening to the closing or, unless it must be `seen`, to the end of the text.

    Code behind the closing makes it a line of code.
    """
    end = closing if seen else rb"(?:%s|\Z)" % closing
    return rb"%s(?>[\s\S]*?%s)[ \t\r]*(?:\n|\Z)" % (opening, end)


def _docstring(quotes: bytes) -> bytes:
    """A string at the start of a line; quotes alone on a line may close what is not seen."""
    opening = rb"[rRbBuU]{0,2}%s(?=[ \t]*[^ \t\r\n])" % quotes
    return rb"%s|%s[ \t\r]*\n" % (_block(opening, quotes), quotes)


def _body(quotes: bytes) -> bytes:
    """Lines from quotes alone on theirs that do open: behind a colon, or at the start."""
    opening = rb"[-+][ \t]*[rR]?" + quotes
    behind_colon = rb"(?:(?<=:\n)|(?<=:\r\n))" + _block(opening, quotes)
    return behind_colon + rb"|\A" + _block(opening, quotes, seen=True)


_STARRED: Final = rb"\*(?=[ \t/*\r\n])"
_C: Final = _language(rb"//", _STARRED, block=(b"/*", b"*/"))
_HASH: Final = _language(rb"#")
_QUOTES: Final = (b'"""', b"'''")
_PYTHON: Final = _language(
    rb"#", further=tuple(map(_docstring, _QUOTES)), whole=tuple(map(_body, _QUOTES))
)
_ELIXIR: Final = _language(rb"#", further=(_block(rb'@\w*doc[ ]+(?:~[sS])?"""', b'"""'),))
_LUA: Final = _language(rb"--(?!\[\[)", block=(b"--[[", b"]]"))
_ML: Final = _language(rb"(?!)", block=(b"(*", b"*)"))
_PAGE: Final = _language(
    rb"//", _STARRED, block=(b"/*", b"*/"), further=(_block(rb"<!--", rb"-->"),)
)
_LANGUAGES: Final = {
    """go rs java kt kts scala js jsx ts tsx mjs cjs mts cts c cc cpp cxx h hh hpp m mm swift cs
    dart groovy gradle zig""": _C,
    "vue svelte": _PAGE,
    "php": _language(rb"//", rb"#(?!\[)", _STARRED, block=(b"/*", b"*/")),
    "fs": _language(rb"//", block=(b"(*", b"*)")),
    "py pyx pyi pxd": _PYTHON,
    "sh bash zsh fish r nim awk": _HASH,
    "rb": _language(rb"#", block=(b"=begin", b"=end")),
    "pl pm": _language(rb"#", further=(_block(rb"=(?:pod|head\d|over|item|begin)\b", rb"=cut"),)),
    "coffee": _language(rb"#(?!##)", block=(b"###", b"###")),
    "jl": _language(rb"#(?!=)", block=(b"#=", b"=#")),
    "ps1 psm1": _language(rb"#", block=(b"<#", b"#>")),
    "ex exs": _ELIXIR,
    "lua": _LUA,
    "hs": _language(rb"--", block=(b"{-", b"-}")),
    "ml mli": _ML,
    "erl hrl": _language(rb"%"),
    "clj cljs": _language(rb";"),
    "vb": _language(rb"'"),
}  # fmt: skip
_BY_EXTENSION: Final = {
    extension: language for names, language in _LANGUAGES.items() for extension in names.split()
}
LANGUAGE_EXTENSIONS: Final = tuple(_BY_EXTENSION)
"""The extensions of the files of known languages, in lower case."""


def has_language(path: str) -> bool:
    """Whether a file is of a known language by its extension, source or not."""
    return path.rpartition(".")[2].lower() in _BY_EXTENSION
