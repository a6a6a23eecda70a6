"""The labels of the issues that pulls close: one call for a hundred issues, which costs a point.

Asked for within a page of pulls they would cost a point for each two of its pulls.
"""

from collections.abc import Callable, Iterable
from typing import Final

from pullrisk.fetch.github import documents
from pullrisk.fetch.github.client import Client
from pullrisk.fetch.github.documents import PullNode
from pullrisk.fetch.github.failures import Failure
from pullrisk.fetch.github.parse import present
from pullrisk.fetch.github.slots import Caller

AT_ONCE: Final = 100
"""Issues in one call; GitHub takes no more ids."""


async def labels_of_closed(
    pulls: Iterable[PullNode], client: Client, caller: Caller, note: Callable[[str], object]
) -> dict[str, tuple[str, ...]]:
    """Issue id → labels, of all issues that the pulls close; without those that GitHub hides.

    What GitHub cannot answer is told to `note` and missing. Raises InputError, SettingsError.
    """
    closed = (issue.id for pull in pulls for issue in present(pull.closing_issues_references))
    ids = list(dict.fromkeys(filter(None, closed)))
    labels: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(ids), AT_ONCE):
        variables = {"ids": ids[start : start + AT_ONCE]}
        try:
            answer = await client.query(documents.ISSUES, variables, caller=caller)
        except Failure as failure:
            note(f"labels of closed issues are missing: {failure}")
            continue
        for problem in answer.problems:
            note(f"labels of a closed issue are missing: {problem.message}")
        for issue in answer.data.nodes or ():
            if issue is not None and issue.id and issue.labels is not None:
                named = (label.name for label in present(issue.labels))
                labels[issue.id] = tuple(filter(None, named))
    return labels
