"""What one command works with: its settings, its progress display, the store and the lake."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pullrisk.cli.bars import progress
from pullrisk.progress import Progress
from pullrisk.settings import Settings, load

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets import Secrets
    from pullrisk.wiring.provision import RotatingValue

T = TypeVar("T")


class Session:
    """Opens what a command asks for, when it first asks."""

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        secrets: "Secrets | None" = None,
        *,
        bare: Settings | None = None,
    ) -> None:
        self.settings = settings
        self.progress = progress
        self.secrets = secrets
        self._bare = bare or settings

    @classmethod
    @contextmanager
    def open(
        cls, *, stage: str | None = None, quiet: bool = False, **options: object
    ) -> Iterator["Session"]:
        """A session with the settings in force; `options` are the command line's.

        Where there is Vault, the credentials of `stage` come from there. Raises SettingsError,
        SecretsError.
        """
        bare, secrets = load(**options), None
        settings = bare
        if stage is not None:
            from pullrisk.wiring.provision import provide

            settings, secrets = provide(bare, stage)
        display = progress(quiet=quiet, json_lines=settings.log_format == "json")
        session = cls(settings, display, secrets, bare=bare)
        try:
            yield session
        finally:
            if "store" in vars(session):
                session.store.close()
            if secrets is not None:
                secrets.close()

    def rotating(self, make: Callable[[Settings], T]) -> "RotatingValue[T] | None":
        """What `make` makes of the settings, kept up with rotated secrets; None without Vault."""
        if self.secrets is None:
            return None
        from pullrisk.wiring.provision import RotatingValue

        return RotatingValue(self._bare, self.secrets, make)

    @cached_property
    def store(self) -> "PullStore":
        """The pull store."""
        from pullrisk.wiring.adapters import is_on_mongo, mongo_uri, open_store

        rotating = self.rotating(mongo_uri) if is_on_mongo(self.settings) else None
        return open_store(self.settings, rotating=rotating)

    @cached_property
    def lake(self) -> "Lake":
        """The lake."""
        from pullrisk.wiring.adapters import open_lake

        return open_lake(self.settings)
