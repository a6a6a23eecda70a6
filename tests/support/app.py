"""A GitHub App under test: deliveries as GitHub sends them, a handler, a fake GitHub."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_github.app import FakeGitHub
from fake_github.inside import URL, Inside
from fake_github.world import FakeRepository, World
from pullrisk.app.github import AppGitHub
from pullrisk.app.handling import Handler, MakeBrief
from pullrisk.brief.make import KnownHunks
from pullrisk.brief.result import Brief
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.deliveries import Delivery
from pullrisk.pulls.lines import ChangedHunk
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore
from pullrisk.serve.webhook_events import decode, subject_of

EXAMPLES = (
    Path(__file__).parents[1]
    / "fake_github/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
)
SECRET = "a webhook's secret"
INSTALLATION = 77
APP_ID = "4711"


@cache
def private_key() -> tuple[str, bytes]:
    """A private key of an App (PEM), and its public one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public


def signed_headers(
    body: bytes, event: str, *, secret: str = SECRET, name: str = ""
) -> dict[str, str]:
    """The headers of a delivery."""
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": name or str(uuid4()),
        "x-hub-signature-256": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}",
    }


def payload_of(repository: FakeRepository, action: str, **parts: object) -> bytes:
    """A payload about a repository, with what is read of it."""
    return json.dumps(
        {
            "action": action,
            "installation": {"id": INSTALLATION},
            "repository": {
                "id": repository.id,
                "node_id": f"R_{repository.id}",
                "full_name": repository.name,
            },
            **parts,
        }
    ).encode()


def about_pull(repository: FakeRepository, number: int, action: str = "opened") -> bytes:
    """A payload of the event `pull_request`; two are never the same, as GitHub's with times."""
    return payload_of(repository, action, pull_request={"number": number}, at=uuid4().hex)


def comment(
    repository: FakeRepository, number: int, text: str, *, login: str = "mara", comment_id: int = 5
) -> bytes:
    """A payload of the event `issue_comment` at a pull."""
    return payload_of(
        repository,
        "created",
        issue={"number": number, "pull_request": {"url": "…"}},
        comment={"id": comment_id, "body": text, "user": {"login": login, "type": "User"}},
    )


def delivery_of(event: str, body: bytes) -> Delivery:
    """The delivery as the service would queue it."""
    subject = subject_of(event, decode(body))
    assert subject is not None, f"nothing to do with {event}"
    return Delivery(
        id=str(uuid4()), event=event, subject=subject, body=body, received_at=datetime.now(UTC)
    )


def brief_of(pull: Pull, **parts: Any) -> Brief:
    """A brief without a model."""
    return Brief(
        **{
            "repository": pull.repository,
            "number": pull.number,
            "title": pull.title,
            "author": pull.author,
            "state": "open",
            "verdict": "Likely to need a fix: 34 %.",
            "risk": 0.34,
            "band": "high",
            "basis": "history",
            **parts,
        }
    )


class AppRig:
    """A handler, its store, and the GitHub that it talks to; `parts` are those of briefs."""

    def __init__(self, store: PullStore, key: tuple[str, bytes]) -> None:
        self.store, self.key = store, key
        self.world = World()
        self.repository = self.world.add("o/r")
        self.github = FakeGitHub(self.world)
        self.github.accounts.app_key = key[1]
        self.github.accounts.app_installations = (INSTALLATION,)
        self.published = self.github.published
        self.scored: list[Pull] = []
        self.kept: list[Brief] = []
        self.points: OperatingPoints | None = None
        self.hunks: dict[str, Sequence[ChangedHunk]] = {}
        self.parts: dict[str, Any] = {}
        self.briefs: MakeBrief = self.brief

    async def brief(self, pull: Pull, points: OperatingPoints | None, diffs: KnownHunks) -> Brief:
        """A brief without a model; what was asked is kept in `scored`, `points` and `hunks`."""
        self.scored.append(pull)
        self.points = points
        self.hunks = {file.path: diffs.hunks(pull, file.path) for file in pull.files or ()}
        return brief_of(pull, **self.parts)

    async def confirm(self) -> None:
        """The lease holds."""

    async def keep(self, pull: Pull, brief: Brief) -> None:
        """Keep what was published."""
        self.kept.append(brief)

    def run(self, work: Callable[[Handler], Awaitable[Any]]) -> Any:
        """Do the work with a handler, in an event loop of its own."""

        async def run() -> Any:
            async with httpx.AsyncClient(transport=Inside(self.github)) as http:
                api = AppGitHub(endpoint(URL), lambda: (APP_ID, self.key[0]), http)
                return await work(Handler(api, lambda: self.store, self.briefs, keep=self.keep))

        return asyncio.run(run())

    def handle(self, event: str, *bodies: bytes) -> None:
        """Handle deliveries one after the other, in one process."""

        async def handle(handler: Handler) -> None:
            for body in bodies:
                await handler.handle(delivery_of(event, body), self.confirm)

        self.run(handle)
        assert not self.github.undescribed

    @property
    def checks(self) -> list[dict[str, Any]]:
        """The check runs that were published."""
        return self.published.checks


def app_environment(url: str, key: tuple[str, bytes]) -> dict[str, str]:
    """The settings of a service that is an App of the GitHub at this address."""
    return {
        "PULLRISK_GITHUB_URL": url,
        "PULLRISK_GITHUB_APP_ID": APP_ID,
        "PULLRISK_GITHUB_APP_KEY": key[0],
        "PULLRISK_GITHUB_WEBHOOK_SECRET": SECRET,
    }
