"""What one command or one notebook works with: its settings, the store, the lake, its secrets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pullrisk.progress import Progress, Silent
from pullrisk.settings import Settings, load
from pullrisk.wiring.adapters import is_on_mongo, mongo_uri, open_lake, open_store

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets.source import Secrets
    from pullrisk.wiring.provision import RotatingValue

T = TypeVar("T")


class Session:
    """Opens the store and the lake when they are first used."""

    def __init__(
        self,
        settings: Settings,
        progress: Progress | None = None,
        secrets: "Secrets | None" = None,
        *,
        bare: Settings | None = None,
    ) -> None:
        self.settings = settings
        self.progress = progress or Silent()
        self.secrets = secrets
        self._bare = bare or settings

    @classmethod
    @contextmanager
    def open(
        cls,
        *,
        stage: str | None = None,
        display: Callable[[Settings], Progress] | None = None,
        **options: object,
    ) -> Iterator["Session"]:
        """A session with the settings in force; `options` are the command line's.

        If there is a Vault, the credentials of `stage` come from it. `display` makes the progress
        display; without it progress is silent. Raises SettingsError, SecretsError.
        """
        bare, secrets = load(**options), None
        settings = bare
        progress = None if display is None else display(bare)
        if stage is not None:
            from pullrisk.wiring.provision import provide

            settings, secrets = provide(bare, stage)
        session = cls(settings, progress, secrets, bare=bare)
        try:
            yield session
        finally:
            session.close()

    def close(self) -> None:
        """Close the store and end the login at Vault, if they were opened."""
        if "store" in vars(self):
            self.store.close()
        if self.secrets is not None:
            self.secrets.close()

    def rotating(self, make: Callable[[Settings], T]) -> "RotatingValue[T] | None":
        """What `make` makes of the settings, kept up with rotated secrets; None without Vault."""
        if self.secrets is None:
            return None
        from pullrisk.wiring.provision import RotatingValue

        return RotatingValue(self._bare, self.secrets, make)

    @cached_property
    def store(self) -> "PullStore":
        """The pull store."""

        rotating = self.rotating(mongo_uri) if is_on_mongo(self.settings) else None
        return open_store(self.settings, rotating=rotating)

    @cached_property
    def lake(self) -> "Lake":
        """The lake."""

        return open_lake(self.settings)
