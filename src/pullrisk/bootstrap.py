"""From settings to adapters: the only place that chooses between them."""

from typing import TYPE_CHECKING

from pullrisk.settings import Settings

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore


def open_store(settings: Settings) -> "PullStore":
    """The pull store of these settings; nothing is created before the first write."""
    from pullrisk.pulls.sqlite import SqliteStore

    return SqliteStore(settings.store_path)


def open_lake(settings: Settings) -> "Lake":
    """The lake of these settings. Raises MissingExtraError without the extra `lake`."""
    from pullrisk.lake import Lake

    return Lake(settings.lake_uri)
