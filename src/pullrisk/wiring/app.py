"""From settings to the GitHub App inside the scoring service; there is none without its secret."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pullrisk.errors import LakeError, SettingsError, needs_extra
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import bot_names, open_deliveries, secret_text

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pullrisk.app.worker import Worker
    from pullrisk.brief.make import Diffs
    from pullrisk.brief.result import Brief
    from pullrisk.model.metadata import OperatingPoints
    from pullrisk.pulls.record import Pull
    from pullrisk.pulls.scores import ScoreTable
    from pullrisk.serve.service import Service
    from pullrisk.wiring.provision import Current


def make_app(current: "Current", scores: "ScoreTable") -> "App | None":
    """The App, which keeps in `scores` what it publishes, or None without a webhook secret.

    Raises SettingsError without the App's id and key, MissingExtraError without the extra
    `github`.
    """
    settings = current.settings
    if settings.github_webhook_secret is None:
        return None
    refuse_half(settings)
    with needs_extra("github"):
        import pullrisk.app.github  # noqa: F401
    return App(current, scores)


def secret_lines(secret: "SecretStr") -> list[str]:
    """The webhook secrets, one a line: a phrase may hold any other sign."""
    return [line.strip() for line in secret.get_secret_value().splitlines() if line.strip()]


def refuse_half(settings: Settings) -> None:
    """Raise SettingsError if there is a webhook secret, and no App that it belongs to."""
    if settings.github_app_id is None or settings.github_app_key is None:
        raise SettingsError(
            "github_webhook_secret is set, and github_app_id or github_app_key is not",
            hint="set both: the App's settings page on GitHub shows them; see docs/app.md",
        )


class App:
    """The queue of deliveries and, while the service runs, the worker that handles them."""

    def __init__(self, current: "Current", scores: "ScoreTable") -> None:
        from pullrisk.serve.webhooks import Webhooks

        self._current, self._scores = current, scores
        self._worker: Worker | None = None
        self.queue = open_deliveries(current.settings, **current.server())
        self.webhooks: Webhooks = Webhooks(self.queue, self._secrets, self._wake)

    @asynccontextmanager
    async def running(self, service: "Service") -> AsyncIterator[None]:
        """Handle deliveries beside the service, for as long as this lasts."""
        import asyncio

        from pullrisk.app.github import AppGitHub
        from pullrisk.app.handling import Handler
        from pullrisk.app.worker import Worker
        from pullrisk.brief.published import published_score
        from pullrisk.fetch.github.client import connection
        from pullrisk.fetch.github.endpoint import endpoint
        from pullrisk.serve.background import in_background

        settings = self._current.settings
        async with connection() as http:
            github = AppGitHub(endpoint(settings.github_url), self._credentials, http)
            scoring = asyncio.Lock()

            async def brief(
                pull: "Pull", points: "OperatingPoints | None", diffs: "Diffs"
            ) -> "Brief":
                async with scoring:  # one at a time: between two, the service answers others
                    new_brief = await _briefed(service, pull, points, diffs)
                    await asyncio.sleep(0)
                    return new_brief

            async def keep(pull: "Pull", brief: "Brief") -> None:
                model, now = service.loaded.version, datetime.now(UTC)
                score = published_score(pull, brief, model=model, now=now)
                await asyncio.to_thread(self._scores.put, [score])

            handler = Handler(
                github,
                lambda: service.dependencies.store,
                brief,
                keep=keep,
                names=bot_names(settings),
            )
            self._worker = Worker(
                self.queue,
                handler.handle,
                at_once=settings.app.at_once,
                lease=settings.app.lease,
                log=service.log,
                metrics=service.metrics,
            )
            with closing(self.queue):
                async with in_background("deliveries", self._worker.run, service.log):
                    yield

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()

    def _secrets(self) -> Iterable[str]:
        secret = self._current.settings.github_webhook_secret
        return () if secret is None else secret_lines(secret)

    def _credentials(self) -> tuple[str, str]:
        from pullrisk.fetch.github.access import access_from

        settings = self._current.settings
        access = access_from(
            url=settings.github_url,
            app_id=settings.github_app_id,
            app_key=secret_text(settings.github_app_key),
        )
        return access.app_id or "", access.app_key or ""


async def _briefed(
    service: "Service", pull: "Pull", points: "OperatingPoints | None", diffs: "Diffs"
) -> "Brief":
    """The brief of the pull. Raises LakeError if the history cannot be read now."""
    from pullrisk.serve.scoring import score

    (scored,) = await score(service, [pull], detail="briefs", points=points, diffs=diffs)
    if scored.brief is None or scored.basis == "history unreachable":
        raise LakeError(f"the history of {pull.repository} cannot be read")
    return scored.brief
