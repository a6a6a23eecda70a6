"""Fetch pull requests from GitHub into the store: who asks, what for, and the one call."""

import httpx

from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.client import Client, connection
from pullrisk.fetch.github.credentials import Credential, installations, tokens
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.lanes import Caller, Lanes
from pullrisk.fetch.github.report import GitHubReport
from pullrisk.fetch.github.rounds import Request, Rounds
from pullrisk.fetch.github.stop import run
from pullrisk.progress import Progress
from pullrisk.pulls.store import PullStore


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
