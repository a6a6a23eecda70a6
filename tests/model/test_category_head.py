import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.features.pull_text import PullText
from pullrisk.model.category_head import BUCKETS, WIDTH, token_rows, tokens

PATHS = ("src/core/a.py", "tests/test_a.py")


def said(title: str, paths: tuple[str, ...] = PATHS, *, reverts: bool = False) -> PullText:
    return PullText(title, (), paths, reverts)


def test_a_prefix_leaves_no_trace() -> None:
    assert tokens(said("fix: handle `None`")) == tokens(said("docs(api)!: handle `None`"))
    assert tokens(said('Revert "Handle it"')) == tokens(said("Handle it"))


def test_words_paths_and_what_the_body_names_all_count() -> None:
    plain = tokens(said("handle it"))
    assert tokens(said("handle them")) != plain
    assert tokens(said("handle it", ("src/core/b.py", "tests/test_a.py"))) != plain
    assert tokens(said("handle it", reverts=True)) != plain


def test_a_pull_without_title_and_files_still_has_tokens() -> None:
    row = token_rows([said("", ())])[0]
    assert row.any()


@given(st.text(max_size=300), st.lists(st.text(max_size=40), max_size=8))
def test_any_text_gives_distinct_buckets_within_the_width(title: str, paths: list[str]) -> None:
    found = tokens(said(title, tuple(paths)))
    assert len(set(found)) == len(found) <= WIDTH
    assert all(0 < one < BUCKETS for one in found)


def test_rows_are_padded_with_no_token() -> None:
    rows = token_rows([said("a word"), said("", ())])
    assert rows.shape == (2, WIDTH)
    assert rows.dtype == np.int32
    assert rows[0, len(tokens(said("a word"))) :].sum() == 0
