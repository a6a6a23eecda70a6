"""Which lines are code, and what tokens it has."""

import pytest

from pullrisk.pulls.code import BLANK, CODE, COMMENT, CodeCounter, language_of, line_runs
from pullrisk.pulls.lines import TOKENS

MARKS = {BLANK: ".", COMMENT: "#", CODE: "x"}


def marks(path: str, *lines: str) -> str:
    """A mark a line: x for code, # for comment, a dot for blank."""
    language = language_of(path)
    assert language is not None
    text = "".join(f"+{line}\n" for line in lines).encode()
    runs = line_runs(text, language)
    assert b"".join(run for _, run in runs) == text
    return "".join(MARKS[kind] * run.count(b"\n") for kind, run in runs)


@pytest.mark.parametrize(
    ("path", "lines", "expected"),
    [
        ("a.py", ["x = 1", "", "  # why", "x  # y", "\t", "\r", "\f"], "x.#x..."),
        ("a.py", ["def f():", '    """', "    Say.", '    """', "    pass"], "x###x"),
        ("a.py", ['"""One."""', 'x = """a', "b", '"""', "y"], "#xx#x"),
        ("a.py", ['    """Say', "    more", "", '    """', "x"], "####x"),
        ("a.py", ['    """', "x = 1"], "#x"),
        ("a.py", ['"""', "a", '"""', "x"], "###x"),
        ("a.py", ["y", '    """', "x = 1"], "x#x"),
        ("a.py", ["y", "r'''raw''' + x", "x"], "xxx"),
        ("a.go", ["/* a", "b", "*/", "x", "/* a */ x", "/* a */"], "###xx#"),
        ("a.go", ["end of one", " it */", "x"], "##x"),
        ("a.js", ["glob('src/**/*.js')", "x", "y /* a", "z"], "xxxx"),
        ("a.c", ["/*", " * a", "x"], "###"),
        ("a.c", [" * a", " */", "*p = 1;", "#include <x>"], "##xx"),
        ("a.rs", ["/// doc", "#[test]", "x"], "#xx"),
        ("a.php", ["# a", "#[Attribute]", "// b"], "#x#"),
        ("a.rb", ["=begin", "a", "=end", "x # y"], "###x"),
        ("a.sh", ["#!/bin/sh", "x", "# y"], "#x#"),
        ("a.ps1", ["<#", "a", "#>\r", "If ($x) {"], "###x"),
        ("a.lua", ["--[[ a", "b ]]", "-- c", "x"], "###x"),
        ("a.hs", ["{- a", "-}", "-- b", "x"], "###x"),
        ("a.ex", ['@doc """', "a", '"""', "x"], "###x"),
        ("a.ml", ["(* a *)", "x"], "#x"),
        ("a.erl", ["% a", "x"], "#x"),
        ("a.clj", [";; a", "x"], "#x"),
        ("a.pl", ["=pod", "a", "=cut", "# b", "x"], "####x"),
        ("a.vue", ["<!-- a", "-->", "<b/>", "// c"], "##x#"),
        ("a.jl", ["#=", "a", "=#", "# b", "x"], "####x"),
        ("a.fs", ["(* a", "*)", "// b", "x"], "###x"),
    ],
)
def test_lines_are_code_comment_or_blank(path: str, lines: list[str], expected: str) -> None:
    assert marks(path, *lines) == expected


@pytest.mark.parametrize(
    "path",
    ["a.md", "a.css", "a.html", "a.json", "tests/a.py", "a_test.go", "vendor/a.go", "x.pb.go",
     "api/zz_generated.deepcopy.go", "docs/conf.py", "app.min.js", "setup.py", "Makefile", ""],
)  # fmt: skip
def test_what_is_no_program_of_its_own_is_not_counted(path: str) -> None:
    assert language_of(path) is None


def tokens(path: str, *lines: str) -> dict[str, int]:
    language = language_of(path)
    assert language is not None
    counter = CodeCounter()
    counter.add("".join(f"-{line}\n" for line in lines).encode(), language)
    counts = dict(zip(TOKENS, counter.tokens(), strict=True))
    return {token: count for token, count in counts.items() if count}


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("a.py", "if x and not y:", {"condition": 2}),
        ("a.js", "a = b ? c : d && e || f", {"condition": 3}),
        ("a.go", "for (i) { return nil }", {"loop": 1, "return": 1, "null": 1}),
        ("a.py", "raise Odd(f(1.5), x1)", {"error": 1, "call": 2, "number": 1}),
        ("a.ts", "a?.b", {"null": 1}),
        ("a.rs", "let g = m.lock().await", {"concurrency": 2, "call": 1}),
        ("a.py", "import os", {"import": 1}),
        ("a.py", "def f(x): open(x)", {"definition": 1, "call": 2, "input_output": 1}),
        ("a.py", "# TODO if", {"todo": 1}),
        ("a.py", "x = 'wenn ümläut'", {}),
    ],
)
def test_tokens_are_counted_in_code(path: str, line: str, expected: dict[str, int]) -> None:
    assert tokens(path, line) == expected


def test_tokens_of_a_huge_change_are_counted_at_its_start() -> None:
    counts = tokens("a.py", *["if x:"] * 100_000)

    assert 0 < counts["condition"] < 100_000
