"""Markdown of a brief shows strangers' words as they are, and does nothing with them."""

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pullrisk.brief.markdown import MOST, as_markdown, code, escaped, heading
from pullrisk.brief.result import (
    Brief,
    LineRange,
    MissingFile,
    Place,
    Precedent,
    Reason,
    Relief,
    Reviewer,
    UnderWay,
)
from pullrisk.brief.text import as_text

HOSTILE: Final = [
    "<script>alert(1)</script>", "<img src=x onerror=y>", "@octocat", "see #12 and GH-13",
    "[click](https://evil.example)", "![x](https://evil.example/a.png)", "https://evil.example/x",
    "www.evil.example", "a | b | c", "`code`", "**bold** __x__ ~~y~~", "# heading", "- item",
    "1. item", "</details>", "<!-- pullrisk -->", "&lt;b&gt;", "line\nbreak\r\n> quote",
    "\u202egnp.exe", "\u200b@team/all", "$x^2$", "cafe 0123456789abcdef0123456789abcdef01234567",
    "\\`escaped\\`", "====", "+ plus", "``", "a`b``c",
]  # fmt: skip
OURS: Final = {"<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>"}
VERDICT: Final = (
    "Likely to need a fix: 34 %, riskier than 93 % of this repository's pulls (usually 11 %)."
)


def brief(words: str = "Handle an empty list", **changes: object) -> Brief:
    path = f"src/{words}.py"
    values: dict[str, object] = {
        "repository": "o/r", "number": 7, "title": words, "author": "ann", "state": "open",
        "verdict": VERDICT, "url": "https://github.com/o/r/pull/7", "risk": 0.34, "repair": 0.33,
        "revert": 0.01, "percentile": 93.0, "usual": 0.11, "band": "high", "novelty": 80.0,
        "basis": "history",
        "reasons": (
            Reason(kind="young lines", text=f"rewrites 42 lines of {path} that #4711 wrote",
                   effect=0.1, without=0.24, features=("rewritten_month",), path=path,
                   number=4711, lines=42, url="https://github.com/o/r/pull/4711"),
            Reason(kind="tests", text="changes 2 test files too", effect=-0.05, without=0.39,
                   features=("test_files",)),
            Reason(kind="other", text="everything else", effect=0.02, without=0.32,
                   features=("hour_sine",)),
        ),
        "places": (
            Place(path=path, share=0.7, text="rewrites young lines", url=None,
                  ranges=(LineRange(first=3, last=9, text="written by #4711", number=4711),)),
        ),
        "missing": (
            MissingFile(path="tests/test_a.py", with_path=path, support=20, confidence=0.9,
                        text=f"tests/test_a.py changed in 9 of 10 pulls with {path}"),
        ),
        "reviewers": (Reviewer(name=words, text="wrote 12 of the lines", lines=12),),
        "precedents": (
            Precedent(number=11, title="Add a list", outcome="repaired", by=12, by_title=words,
                      text="fixed by #12"),
        ),
        "under_way": (UnderWay(title=words, number=15, paths=(path,), text=f"changes {path}"),),
        "relief": Relief(kind="leave out", text=f"without {path}: 12 %", risk=0.12, paths=(path,)),
        "notes": (f"not known: {words}",),
    }  # fmt: skip
    return Brief(**{**values, **changes})  # type: ignore[arg-type]


def shown(words: str) -> list[Token]:
    """What a renderer makes of the brief's Markdown, innermost parts alone."""
    made = heading(brief(words)) + "\n\n" + as_markdown(brief(words))
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [each for token in reader.parse(made) for each in token.children or [token]]


def kinds(words: str) -> Counter[str]:
    """How often each kind of formatting stands in it: words alone must not change that."""
    plain = ("text", "softbreak", "code_inline")
    return Counter(each.type for each in shown(words) if each.type not in plain)


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_nothing_hostile_comes_alive(words: str) -> None:
    assert kinds(words) == kinds("Handle an empty list")
    for part in shown(words):
        if part.type == "html_inline" or part.type == "html_block":
            assert set(re.findall(r"<[^>]*>", part.content)) <= OURS
        if part.type == "link_open":
            assert str(part.attrs["href"]).startswith("https://redirect.github.com/o/r/pull/")
        if part.type == "text":
            assert not re.search(r"@\w|#\d|www\.|://|\b[0-9a-f]{7}|\u202e", part.content)


@pytest.mark.parametrize("words", ["Handle a list", "a * b_c <d> & `e` [f](g) #12 @h", "a | b"])
def test_words_are_shown_as_they_are(words: str) -> None:
    text = "".join(part.content for part in shown(words) if part.type == "text")
    assert f"not known: {words}" in text.replace("\u200b", "")


@pytest.mark.parametrize("words", ["</details>", "<details>", "a\n\n</details>\n\nb"])
def test_the_unfolding_part_is_closed_once_and_by_us(words: str) -> None:
    html = "".join(part.content for part in shown(words) if part.type.startswith("html"))
    assert html.count("<details>") == html.count("</details>") == 1


def test_code_needs_more_back_ticks_than_it_is_made_of() -> None:
    assert code("a`b``c") == "```a`b``c```"
    assert code("`a`") == "`` `a` ``"
    assert code("plain.py") == "`plain.py`"


def test_a_plain_text_stays_readable() -> None:
    for text in ("Handle empty lists (again): 34 %", "src/lock.rs needed a fix"):
        assert escaped(text) == text


def test_links_to_pulls_leave_no_trace_on_them() -> None:
    made = as_markdown(brief())
    assert "https://redirect.github.com/o/r/pull/4711" in made
    assert "https://github.com/o/r/pull" not in made


def test_what_had_gone_wrong_is_told_by_the_title_of_the_fix() -> None:
    assert "#11 needed a fix by #12 (Avoid a crash)" in as_text(
        brief(precedents=(
            Precedent(number=11, title="Add a list", outcome="repaired", by=12,
                      by_title="Avoid a crash", text="#11 needed a fix by #12"),
        ))
    )  # fmt: skip
    assert "#11 was reverted (Add a list)" in as_text(
        brief(precedents=(
            Precedent(number=11, title="Add a list", outcome="reverted", text="#11 was reverted"),
        ))
    )  # fmt: skip


def test_the_order_is_verdict_why_places_missing_relief_and_the_rest_folded() -> None:
    made = as_markdown(brief())
    assert re.findall(r"^\*\*(.+?)\*\*$", made, re.MULTILINE) == [
        VERDICT, "Why", "What speaks for it", "Where to look", "What is missing",
        "What would lower the risk", "Who knows this code", "What happened last time",
        "What else is under way",
    ]  # fmt: skip
    assert made.index("<details>") > made.index("lower the risk")
    assert "everything else" not in made


def test_its_length_is_bounded_and_no_part_is_cut_in_its_middle() -> None:
    long = brief("x" * 1_000)
    made = as_markdown(brief("x" * 1_000, reviewers=tuple(long.reviewers * 200)))
    assert len(made) <= MOST + 100
    assert made.count("<details>") == made.count("</details>")


UNKNOWN: Final[dict[str, object]] = {
    "verdict": "Not enough history to tell.", "risk": None, "repair": None, "revert": None,
    "band": None, "novelty": None, "reasons": (), "places": (), "missing": (), "reviewers": (),
    "precedents": (), "under_way": (), "relief": None, "notes": (),
}  # fmt: skip


def test_an_empty_brief_is_its_verdict() -> None:
    assert as_markdown(brief("", **UNKNOWN)) == "**Not enough history to tell.**\n"


def test_a_risky_pull_without_a_named_reason_says_so() -> None:
    assert "nothing that has a name stands out" in as_text(brief(reasons=()))
    assert "Why" not in as_text(brief(reasons=(), band="low"))


@pytest.mark.parametrize(("state", "end"), [("merged", "merge"), ("closed", "closing")])
def test_what_is_not_open_any_more_is_told_as_of_its_end(state: str, end: str) -> None:
    ended = brief(state=state, as_of=datetime(2026, 3, 1, 12, tzinfo=UTC))
    told = f"told as of its {end} on 2026-03-01"
    assert f"note: {told}" in as_text(ended).splitlines()
    assert f"_{escaped(told)}_" in as_markdown(ended).splitlines()
    now = brief(as_of=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert "told as of" not in as_text(now) + as_markdown(now)


def test_plain_text_fits_its_width_and_tells_the_same() -> None:
    told = as_text(brief(), width=80)
    assert max(map(len, told.splitlines())) <= 80
    for part in ("o/r#7", "34 %", "rewrites 42 lines", "note:", "Who knows"):
        assert part in told
