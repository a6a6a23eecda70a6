"""The ASGI application: GraphQL, some REST, misbehaviour, and counting."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from graphql import DocumentNode, execute_sync

from fake_github.accounts import Account, Accounts
from fake_github.answers import TIMEOUT, formatted, parsed, partial, refused
from fake_github.clones import clone_answer
from fake_github.cost import Cost, cost_of
from fake_github.faults import Faults
from fake_github.graph import Query
from fake_github.openapi import UndescribedError, check_answer, check_request
from fake_github.published import Published
from fake_github.rest import rest_answer
from fake_github.schema import github_schema
from fake_github.world import World

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."
LIMITED = "API rate limit already exceeded for user ID 1."
_STATUSES = {
    "500": (500, "Internal Server Error"),
    "502": (502, "<html><title>502 Bad Gateway</title></html>"),
    "503": (503, "Service Unavailable"),
    "504": (504, "We couldn't respond to your request in time."),
}


class CutError(Exception):
    """The connection breaks in the middle of an answer."""


class FakeGitHub:
    """An ASGI application over a world.

    `published` is what a GitHub App left in it, `rest_faults` what goes wrong with REST calls.

    `undescribed` are REST requests to routes that the description here lacks.

    Counts: `requests` by document name, `rest_requests`, `points`. `on_request` is called
    before each GraphQL request is answered, with how many came before it. `remember`: keep
    answers, so that a benchmark does not measure this server. `clones` is a folder of bare
    repositories, owner/name.git, that may be cloned.
    """

    def __init__(
        self,
        world: World,
        *,
        faults: Faults | None = None,
        accounts: Accounts | None = None,
        on_request: Callable[[int], object] = lambda count: None,
        remember: bool = False,
        clones: Path | None = None,
    ) -> None:
        self._clones = clones
        self.world = world
        self.faults = faults or Faults()
        self.accounts = accounts or Accounts(world)
        self.published = Published(world)
        self.rest_faults = Faults()
        self.on_request = on_request
        self.requests: Counter[str] = Counter()
        self.rest_requests = 0
        self.undescribed: set[str] = set()
        self.points = 0
        self._remembered: dict[tuple[bytes, int], bytes] | None = {} if remember else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        await asyncio.sleep(self.faults.delay)
        path = scope["path"]
        if path in ("/api/graphql", "/graphql"):
            await self._graphql(body, headers.get("authorization", ""), send)
        elif path == "/_fake/published":
            published = {"checks": self.published.checks, "reactions": self.published.reactions}
            await self._send(send, 200, published)
        elif path == "/_fake/counts":
            await self._send(send, 200, self.counts())
        elif ".git/" in path:
            await self._clone(scope, headers, body, send)
        else:
            await self._rest(scope, path.removeprefix("/api/v3"), headers, body, send)

    def counts(self) -> dict[str, object]:
        """What was asked so far."""
        return {
            "requests": self.requests.total(),
            "by_document": dict(self.requests),
            "rest_requests": self.rest_requests,
            "points": self.points,
        }

    async def _graphql(self, body: bytes, authorization: str, send: Send) -> None:
        self.on_request(self.requests.total())
        question = json.loads(body)
        document, name = parsed(question["query"])
        self.requests[name] += 1
        if name == "Pulls" and self.requests[name] - 1 == self.faults.hang_after:
            await asyncio.Event().wait()
        account = self.accounts.of(authorization)
        if account is None:
            await self._send(send, 401, {"message": "Bad credentials"})
            return
        cost = cost_of(document, question.get("variables") or {})
        fault = self.faults.next(cost.pages.get("pullRequests") if name == "Pulls" else None)
        if fault and await self._misbehave(fault, account, send):
            return
        if cost.refusal:
            await self._send(send, 200, refused(*cost.refusal), account)
        elif not account.spend(cost.points, self.world.now()):
            await self._send(send, 200, refused("RATE_LIMITED", LIMITED), account)
        else:
            self.points += cost.points
            answer = self._answer(question, document, cost, account, authorization, body)
            if fault in ("partial", "lost-pull") and name == "Pulls":
                answer = partial(answer, fault)
            await self._send(send, 200, answer, account, cut=fault == "cut")

    async def _misbehave(self, fault: str, account: Account, send: Send) -> bool:
        """Answer wrongly; False where the right answer follows, late or damaged."""
        if fault in _STATUSES:
            status, text = _STATUSES[fault]
            await self._send(send, status, text)
        elif fault == "timeout":
            await self._send(send, 200, {"data": None, "errors": [{"message": TIMEOUT}]}, account)
        elif fault == "garbage":
            await self._send(send, 200, "<html>a proxy's own page</html>")
        elif fault == "deep":
            await self._send(send, 200, '{"data":' + "[" * 20_000)
        elif fault in ("secondary", "429"):
            status = 429 if fault == "429" else 403
            after = {"retry-after": str(self.faults.retry_after)}
            await self._send(send, status, {"message": SECONDARY}, account, headers=after)
        elif fault == "secondary-bare":
            await self._send(send, 403, {"message": SECONDARY}, account)
        elif fault == "rate-limited":
            await self._send(send, 200, refused("RATE_LIMITED", LIMITED), account)
        else:
            if fault == "slow":
                await asyncio.sleep(self.faults.slow)
            return False
        return True

    def _answer(
        self,
        question: dict[str, Any],
        document: DocumentNode,
        cost: Cost,
        account: Account,
        authorization: str,
        body: bytes,
    ) -> bytes:
        key = (body, self.world.version)
        if self._remembered is not None and key in self._remembered:
            return self._remembered[key]
        token = authorization.partition(" ")[2]
        result = execute_sync(
            github_schema(),
            document,
            root_value=Query(
                self.world, token, lambda: account.rate(cost.points), login=account.login
            ),
            variable_values=question.get("variables"),
        )
        answer = json.dumps(formatted(result, self.faults.forbidden)).encode()
        if self._remembered is not None:
            self._remembered[key] = answer
        return answer

    async def _clone(self, scope: Scope, headers: dict[str, str], body: bytes, send: Send) -> None:
        if self._clones is None:
            await self._send(send, 404, "Not Found")
            return
        status, fields, content = await asyncio.to_thread(
            clone_answer,
            self._clones,
            self.accounts,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            headers=headers,
            body=body,
        )
        await self._send(send, status, content, headers=fields)

    async def _rest(
        self, scope: Scope, path: str, headers: dict[str, str], body: bytes, send: Send
    ) -> None:
        self.rest_requests += 1
        authorization = headers.get("authorization", "")
        fault = self.rest_faults.next(None)
        if fault and await self._misbehave(fault, Account(), send):
            return
        query = dict(parse_qsl(scope["query_string"].decode()))
        base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'fake')}/api/v3"
        asked = scope["method"], path
        try:
            if not check_request(*asked, query, body):
                self.undescribed.add(" ".join(asked))
        except UndescribedError as error:
            await self._send(send, 422, {"message": str(error)})
            return
        status, value, extra = self._rest_answer(*asked, query, body, authorization, base)
        check_answer(*asked, status, value)
        # `cut`: it is done, and the answer is lost on its way
        await self._send(send, status, value, headers=extra, cut=fault == "cut")

    def _rest_answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, authorization: str,
        base: str,
    ) -> tuple[int, object, dict[str, str]]:  # fmt: skip
        """Status, JSON and headers."""
        if path == "/app" or path.startswith("/app/"):
            return *self.accounts.app_answer(authorization, path), {}
        if self.accounts.of(authorization) is None:
            return 401, {"message": "Bad credentials"}, {}
        own = self.published.answer(method, path, query, body)
        if own is not None:
            return *own, {}
        return rest_answer(self.world, path, query, base)

    async def _send(
        self,
        send: Send,
        status: int,
        value: object,
        account: Account | None = None,
        *,
        headers: dict[str, str] | None = None,
        cut: bool = False,
    ) -> None:
        body = (
            value
            if isinstance(value, bytes)
            else (value if isinstance(value, str) else json.dumps(value)).encode()
        )
        fields = {
            "content-type": "application/json; charset=utf-8",
            "content-length": str(len(body)),
            "date": formatdate(self.world.now(), usegmt=True),
            **(account.headers() if account else {}),
            **(headers or {}),
        }
        raw = [(name.encode(), text.encode()) for name, text in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        if cut:
            await send(
                {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
            )
            raise CutError
        await send({"type": "http.response.body", "body": body})
