"""Fetch pull requests from GitHub into the store: who asks, what for, and the one call."""

from pathlib import Path

import httpx
import msgspec

from pullrisk.fetch.github.client import Client, connection
from pullrisk.fetch.github.credentials import Credential, installations, tokens
from pullrisk.fetch.github.endpoint import GITHUB, endpoint
from pullrisk.fetch.github.lanes import Caller, Lanes
from pullrisk.fetch.github.report import GitHubReport
from pullrisk.fetch.github.rounds import Request, Rounds
from pullrisk.fetch.github.stop import run
from pullrisk.progress import Progress
from pullrisk.pulls.store import PullStore


class Access(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Where, and as whom. Tokens and an App may stand together, each with its own budget.

    `pace` multiplies every wait and `transport` stands in for the network; both are for tests.
    """

    url: str = GITHUB
    tokens: tuple[str, ...] = ()
    app_id: str | None = None
    app_key: Path | None = None
    app_installations: tuple[int, ...] = ()
    pace: float = 1.0
    transport: httpx.AsyncBaseTransport | None = None

    def __repr__(self) -> str:
        return f"Access({self.url}, {len(self.tokens)} tokens, App {self.app_id})"


def fetch_github(
    request: Request, store: PullStore, *, access: Access, progress: Progress
) -> GitHubReport:
    """Bring the repositories up to date in the store, and with `watch` keep them so.

    A repository that fails is reported with its reason and the others go on. Raises
    SettingsError (no credential works), InputError (nothing to fetch, GitHub out of reach),
    StoreError; KeyboardInterrupt when stopped. What was written stays, and the next run goes on
    from there.
    """
    return run(_fetch(request, store, access, progress))


async def _fetch(
    request: Request, store: PullStore, access: Access, progress: Progress
) -> GitHubReport:
    async with connection(transport=access.transport) as http:
        lanes = Lanes(await _credentials(access, http), pace=access.pace)
        lanes.usable(Caller())  # refuses at once where there is none
        client = Client(endpoint(access.url), lanes, http=http)
        return await Rounds(request, client, store, progress).run()


async def _credentials(access: Access, http: httpx.AsyncClient) -> list[Credential]:
    found: list[Credential] = [*tokens(access.tokens)]
    if access.app_id and access.app_key:
        found += await installations(
            http,
            endpoint(access.url),
            app_id=access.app_id,
            key=access.app_key,
            only=access.app_installations,
        )
    return found
