"""Read one repository's pulls, page by page, each pull whole."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar

import msgspec

from pullrisk.fetch.github import documents
from pullrisk.fetch.github.answers import LASTING, failure_of
from pullrisk.fetch.github.client import ATTEMPTS, Answer, Client
from pullrisk.fetch.github.documents import Document
from pullrisk.fetch.github.failures import Failure, TooLarge
from pullrisk.fetch.github.lanes import Caller
from pullrisk.fetch.github.paging import MAXIMUM, Paging
from pullrisk.fetch.github.parse import changed_files, present, pull_from_node, submitted
from pullrisk.fetch.github.shapes import PartsData, PullNode, PullPage, PullParts, PullsData
from pullrisk.fetch.github.wire import Connection, PageInfo
from pullrisk.pulls.record import MAX_FILES, Pull

T = TypeVar("T")
Order = Literal["created", "updated"]

_ORDERS: Final[dict[Order, dict[str, str]]] = {
    "created": {"field": "CREATED_AT", "direction": "ASC"},
    "updated": {"field": "UPDATED_AT", "direction": "DESC"},
}


class Page(msgspec.Struct):
    """Pulls in the order that was asked for, and the cursor behind the last, None at the end.

    `at` is GitHub's clock before the page was read; `total` is how many pulls there are.
    """

    pulls: list[Pull]
    cursor: str | None
    total: int
    at: datetime
    name: str | None


class Reader:
    """Reads the pulls of one repository, addressed by `node_id`, stored under `name`.

    `notes` collects, once each, what GitHub keeps back.
    """

    def __init__(
        self,
        client: Client,
        caller: Caller,
        *,
        node_id: str,
        repository_id: int | None,
        name: str,
        paging: Paging,
    ) -> None:
        self._client, self._caller = client, caller
        self._node_id, self._repository_id, self._name = node_id, repository_id, name
        self.paging = paging
        self.notes: list[str] = []

    async def page(self, order: Order, after: str | None, *, at_most: int = MAXIMUM) -> Page:
        """The next page, as large as works. Raises a Failure, InputError or SettingsError."""
        failures = 0
        while (size := min(self.paging.size, at_most)) > 1:
            try:
                answer = await self._ask(order, after, size)
            except TooLarge:
                self.paging.size = size
                self.paging.failed()
                failures += 1
                await self._client.backoff(failures)
            else:
                if size == self.paging.size:
                    self.paging.succeeded(answer.seconds)
                return await self._whole(answer)
        return await self._whole(await self._alone(order, after))

    async def _alone(self, order: Order, after: str | None) -> Answer[PullsData]:
        """A single pull, without its files where GitHub cannot compute them beside all else."""
        for attempt in range(1, ATTEMPTS):
            try:
                answer = await self._ask(order, after, 1, files=attempt == 1)
            except TooLarge:
                await self._client.backoff(attempt)
            else:
                self.paging.succeeded(answer.seconds)
                return answer
        return await self._ask(order, after, 1, files=False, partial=True)

    async def _ask(
        self,
        order: Order,
        after: str | None,
        size: int,
        *,
        files: bool = True,
        partial: bool = False,
    ) -> Answer[PullsData]:
        """One page; TooLarge where a part of it failed for a moment, unless `partial` will do."""
        answer = await self._client.query(
            documents.PULLS,
            {
                "repository": self._node_id,
                "first": size,
                "after": after,
                "order": _ORDERS[order],
                "files": files,
            },
            caller=self._caller,
            shrinkable=size > 1,
        )
        passing = [problem for problem in answer.problems if problem.kind not in LASTING]
        if passing and not partial:
            raise TooLarge(passing[0].message)
        for problem in answer.problems:
            self._note(f"{problem.field or 'a pull'} is missing: {problem.message}")
        return answer

    async def _whole(self, answer: Answer[PullsData]) -> Page:
        repository = answer.data.node
        found = repository.pull_requests if repository else None
        if repository is None or found is None:
            raise failure_of(answer.problems)
        pulls = [await self._pull(node) for node in _nodes(found)]
        more = found.page_info.has_next_page
        return Page(
            pulls,
            found.page_info.end_cursor if more else None,
            found.total_count,
            datetime.fromtimestamp(answer.at, UTC),
            repository.name_with_owner,
        )

    async def _pull(self, node: PullNode) -> Pull:
        """The record, with every file and review however many there are."""
        pull = pull_from_node(node, repository=self._name, repository_id=self._repository_id)
        files, reviews = node.files, node.reviews
        if files is None and node.changed_files:
            files = Connection(page_info=PageInfo(has_next_page=True))
        if files is not None and files.page_info.has_next_page:
            rest = await self._rest(documents.FILES, node, files, most=MAX_FILES)
            known = [*present(files), *(file for part in rest for file in present(part.files))]
            pull = msgspec.structs.replace(pull, files=changed_files(known) if known else None)
        if reviews is not None and reviews.page_info.has_next_page:
            rest = await self._rest(documents.REVIEWS, node, reviews, most=None)
            extra = [review for part in rest for review in present(part.reviews)]
            pull = msgspec.structs.replace(pull, reviews=submitted([*present(reviews), *extra]))
        return pull

    async def _rest(
        self,
        document: Document[PartsData],
        node: PullNode,
        known: Connection[T],
        *,
        most: int | None,
    ) -> list[PullParts]:
        """What follows the first files or reviews; what GitHub never computes is noted."""
        parts: list[PullParts] = []
        at, size, count = known.page_info, MAXIMUM, len(present(known))
        while at.has_next_page and (most is None or count < most):
            try:
                part = await self._part(document, node.id, at.end_cursor, size)
            except TooLarge:
                if size == 1:
                    self._note(f"pull {node.number}: not all {document.name} could be read")
                    break
                size //= 2
                continue
            except Failure as failure:
                self._note(f"pull {node.number}: {document.name} are missing: {failure}")
                break
            found = part.files or part.reviews or Connection()
            at, count = found.page_info, count + len(found.nodes or ())
            parts.append(part)
        return parts

    async def _part(
        self, document: Document[PartsData], pull: str, after: str | None, size: int
    ) -> PullParts:
        answer = await self._client.query(
            document,
            {"pull": pull, "first": size, "after": after},
            caller=self._caller,
            shrinkable=size > 1,
        )
        if answer.data.node is None:
            raise failure_of(answer.problems)
        return answer.data.node

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _nodes(page: PullPage) -> Iterable[PullNode]:
    return (edge.node for edge in page.edges or () if edge and edge.node)
