"""Fetch pull requests from GitHub into the store: who asks, what for, and the one call."""

from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.client import Client, connection
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.keyring import Keyring, Rotating
from pullrisk.fetch.github.lanes import Caller
from pullrisk.fetch.github.report import GitHubReport
from pullrisk.fetch.github.rounds import Request, Rounds
from pullrisk.fetch.github.stop import run
from pullrisk.progress import Progress
from pullrisk.pulls.store import PullStore


def fetch_github(
    request: Request,
    store: PullStore,
    *,
    access: Access,
    progress: Progress,
    rotating: Rotating | None = None,
) -> GitHubReport:
    """Bring the repositories up to date in the store.

    A repository that fails is reported with its reason and the others go on; `rotating` tells
    the access as it is now. Raises SettingsError (no credential works), InputError (nothing to
    fetch, GitHub out of reach), StoreError; KeyboardInterrupt when stopped. What was written
    stays, and the next run goes on from there.
    """
    return run(_fetch(request, store, access, progress, rotating))


async def _fetch(
    request: Request,
    store: PullStore,
    access: Access,
    progress: Progress,
    rotating: Rotating | None,
) -> GitHubReport:
    async with connection(transport=access.transport) as http:
        keyring = Keyring(access, http, rotating=rotating)
        lanes = await keyring.open()
        lanes.usable(Caller())  # refuses at once where there is none
        client = Client(endpoint(access.url), keyring, http=http)
        return await Rounds(request, client, store, progress).run()
