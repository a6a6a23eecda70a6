"""The GraphQL documents, against GitHub's published schema."""

from importlib.resources import files

import pytest
from graphql import parse, validate

from fake_github.cost import NODE_LIMIT, cost_of
from fake_github.schema import github_schema
from pullrisk.fetch.github import documents
from pullrisk.fetch.github.graphql import Data, Document
from pullrisk.fetch.github.reader import MAXIMUM

ALL: dict[str, Document[Data]] = {
    each.name: each for each in vars(documents).values() if isinstance(each, Document)
}
FOLDER = files("pullrisk.fetch.github") / "documents"


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_document_is_valid_against_githubs_schema(name: str) -> None:
    assert validate(github_schema(), parse(ALL[name].text())) == []


def test_every_file_of_the_folder_is_a_document() -> None:
    assert {each.name for each in FOLDER.iterdir()} == {f"{name}.graphql" for name in ALL}


def test_a_field_that_github_does_not_have_is_noticed() -> None:
    text = ALL["pulls"].text().replace("isDraft", "isADraft")
    assert "isADraft" in str(validate(github_schema(), parse(text)))


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_document_asks_for_the_budget(name: str) -> None:
    assert "rateLimit { limit cost remaining resetAt }" in ALL[name].text()


def test_the_largest_page_stays_under_githubs_node_limit() -> None:
    variables = {"first": MAXIMUM, "files": True}
    cost = cost_of(parse(documents.PULLS.text()), variables)
    assert cost.nodes < NODE_LIMIT / 5
    assert cost.points <= 11  # four of them for the labels of closed issues
    assert cost.refusal is None
