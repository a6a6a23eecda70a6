"""Read the pulls of one repository page by page, each pull with all its files and reviews."""

from datetime import UTC, datetime
from typing import Final, Literal, TypeVar

import msgspec

from pullrisk.fetch.github import documents
from pullrisk.fetch.github.client import ATTEMPTS, Answer, Client
from pullrisk.fetch.github.documents import PartsData, PullNode, PullParts, PullsData
from pullrisk.fetch.github.failures import LASTING, Failure, TooLarge, failure_of
from pullrisk.fetch.github.graphql import Connection, Document, PageInfo, present
from pullrisk.fetch.github.parse import changed_files, pull_from_node, submitted
from pullrisk.fetch.github.slots import Caller
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import MAX_FILES, Pull

T = TypeVar("T")
Order = Literal["created", "updated"]


FIRST: Final = 25
"""Pulls of the first page; about 50 with their files reach GitHub's limit of ten seconds."""
MAXIMUM: Final = 100
"""The largest page that GitHub allows."""
FAST, SLOW = 4.0, 8.0
"""Seconds: after a page faster than FAST the size may grow, after one slower than SLOW it
shrinks.
"""
STREAK: Final = 2
"""The size grows after so many fast pages in a row."""
PARDON: Final = 50
"""The ceiling rises by one after so many pages of that size."""

_ORDERS: Final[dict[Order, dict[str, str]]] = {
    "created": {"field": "CREATED_AT", "direction": "ASC"},
    "updated": {"field": "UPDATED_AT", "direction": "DESC"},
}


class Paging(msgspec.Struct):
    """The page size of one repository, which is adapted to GitHub's answers.

    It is part of the checkpoint, so that it is learned once. `good` is the largest size that
    worked; `ceiling` is the largest that is tried.
    """

    size: int = FIRST
    ceiling: int = MAXIMUM
    good: int = 0
    streak: int = 0

    def succeeded(self, seconds: float) -> None:
        """Adapt the size after a page that took `seconds`."""
        self.good = max(self.good, self.size)
        self.streak += 1
        if seconds > SLOW:
            self.size = max(self.size * 3 // 4, 1)
            self.streak = 0
        elif self.size < self.ceiling:
            if seconds < FAST and self.streak >= STREAK:
                self.size = min(self.size + max(self.size // 4, 1), self.ceiling)
                self.streak = 0
        elif self.ceiling < MAXIMUM and self.streak >= PARDON:
            self.ceiling += 1
            self.streak = 0

    def failed(self) -> None:
        """Halve the size after a page that was too large, and grow no further than what worked."""
        half = max(self.size // 2, 1)
        if self.good >= self.size:
            self.good = half  # what worked once does not work any more
            self.ceiling = max(self.size - 1, 1)
        else:
            self.ceiling = max(self.good, half)
        self.size = half
        self.streak = 0


class Page(msgspec.Struct):
    """A page of pulls in the requested order; `cursor` is for the next page, None at the end.

    `at` is GitHub's clock before the page was read.
    """

    pulls: list[Pull]
    cursor: str | None
    at: datetime


class Reader:
    """Reads the pulls of the repository with the id `node_id`, as records named `name`.

    `notes` lists what GitHub left out, each once.
    """

    def __init__(  # noqa: PLR0913 (what to read, and how)
        self,
        client: Client,
        caller: Caller,
        *,
        node_id: str,
        repository_id: int | None,
        name: str,
        paging: Paging,
        names: BotNames = NO_NAMES,
    ) -> None:
        self._bot_names = names
        self._client, self._caller = client, caller
        self._node_id, self._repository_id, self._name = node_id, repository_id, name
        self.paging = paging
        self.notes: list[str] = []

    async def page(self, order: Order, after: str | None, *, at_most: int = MAXIMUM) -> Page:
        """The page after the cursor `after`, as large as GitHub answers in time, or smaller.

        Raises a Failure, InputError or SettingsError.
        """
        failures = 0
        while (size := min(self.paging.size, at_most)) > 1:
            try:
                answer = await self._request(order, after, size)
            except TooLarge:
                self.paging.size = size
                self.paging.failed()
                failures += 1
                await self._client.backoff(failures)
            else:
                if size == self.paging.size:
                    self.paging.succeeded(answer.seconds)
                return await self._page(answer)
        return await self._page(await self._request_single(order, after))

    async def _request_single(self, order: Order, after: str | None) -> Answer[PullsData]:
        """A page of one pull; without its files if GitHub cannot answer with them in time."""
        for attempt in range(1, ATTEMPTS):
            try:
                answer = await self._request(order, after, 1, files=attempt == 1)
            except TooLarge:
                await self._client.backoff(attempt)
            else:
                self.paging.succeeded(answer.seconds)
                return answer
        return await self._request(order, after, 1, files=False, partial=True)

    async def _request(
        self,
        order: Order,
        after: str | None,
        size: int,
        *,
        files: bool = True,
        partial: bool = False,
    ) -> Answer[PullsData]:
        """Ask for a page. Raises TooLarge if a part failed for a moment and `partial` is False."""
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
        temporary = [problem for problem in answer.problems if problem.kind not in LASTING]
        if temporary and not partial:
            raise TooLarge(temporary[0].message)
        for problem in answer.problems:
            missing = "a pull" if problem.field in ("", "nodes") else problem.field
            self._note(f"{missing} is missing: {problem.message}")
        return answer

    async def _page(self, answer: Answer[PullsData]) -> Page:
        """The page with the records of its pulls, each completed by further calls."""
        repository = answer.data.node
        page = repository.pull_requests if repository else None
        if page is None:
            raise failure_of(answer.problems)
        pulls = [await self._pull(node) for node in present(page)]
        cursor = page.page_info.end_cursor if page.page_info.has_next_page else None
        return Page(pulls, cursor, datetime.fromtimestamp(answer.at, UTC))

    async def _pull(self, node: PullNode) -> Pull:
        """The record of a pull with all its files and reviews."""
        pull = pull_from_node(
            node,
            repository=self._name,
            repository_id=self._repository_id,
            names=self._bot_names,
        )
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
        """The files or reviews after those of the page, at most `most` of all.

        Stops with a note at what GitHub cannot answer.
        """
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
            page = part.files or part.reviews or Connection()
            at, count = page.page_info, count + len(page.nodes or ())
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
