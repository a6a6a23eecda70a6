"""The credentials of a fetch, which may be rotated while it runs."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

import httpx

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.credentials import Credential, installations, tokens
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.lanes import Lane, Lanes

_LOG: Final = logging.getLogger(__name__)


class Rotating(Protocol):
    """As whom to ask; its tokens and its App's key may change while a fetch runs."""

    @property
    def now(self) -> Access:
        """As it is now, the same object until it changes; costs nothing to ask."""

    def refresh(self) -> bool:
        """Read it anew, after GitHub refused it; may wait. Whether it changed."""


class Keyring:
    """Keeps the lanes to the credentials that hold now; `rotating` is None where none change."""

    def __init__(
        self, access: Access, http: httpx.AsyncClient, *, rotating: Rotating | None = None
    ) -> None:
        self.lanes = Lanes([], pace=access.pace)
        self._access, self._http, self._rotating = access, http, rotating
        self._unusable: Access | None = None
        self._work = asyncio.Lock()

    async def open(self) -> Lanes:
        """The lanes of the credentials that there are at the start. Raises SettingsError."""
        self.lanes.replace(await self._credentials(self._access))
        return self.lanes

    async def follow(self) -> None:
        """Go on with the credentials as they are now; the last good ones where they are bad."""
        if self._rotating is None or self._rotating.now in (self._access, self._unusable):
            return
        async with self._work:
            access = self._rotating.now
            if access == self._access:
                return  # another task did it
            try:
                self.lanes.replace(await self._credentials(access))
            except SettingsError as error:
                self._unusable = access
                _LOG.warning("rotated credentials of GitHub cannot be used: %s", error)
            else:
                self._access = access

    async def replaces(self, lane: Lane) -> bool:
        """Whether the lane's credential, which GitHub refused, has been rotated by now."""
        if self._rotating is None:
            return False
        self._unusable = None  # the reason may have been GitHub's
        await self.follow()
        if lane in self.lanes.all:
            await asyncio.to_thread(self._rotating.refresh)
            await self.follow()
        return lane not in self.lanes.all

    async def _credentials(self, access: Access) -> Sequence[Credential]:
        found: list[Credential] = [*tokens(access.tokens)]
        if access.app_id and access.app_key:
            found += await installations(
                self._http,
                endpoint(access.url),
                app_id=access.app_id,
                key=access.app_key,
                only=access.app_installations,
            )
        return found
