"""Which repositories a GitHub App is installed in: one checkpoint for each installation."""

from collections.abc import Mapping

import msgspec

from pullrisk.pulls.store import PullStore


class _Installation(msgspec.Struct):
    repositories: dict[str, str]
    """GitHub's number of each, as text, and its name."""


class AppInstallations:
    """The register in the store, of the installations on one GitHub. Raises StoreError."""

    def __init__(self, store: PullStore, host: str) -> None:
        self._store, self._prefix = store, f"app:{host}:installation:"

    def replace(self, installation: int, names: Mapping[int, str]) -> None:
        """These are all repositories that the installation has now, by GitHub's number."""
        value = _Installation({str(number): name for number, name in names.items()})
        self._store.upsert(
            [], checkpoint=(f"{self._prefix}{installation}", msgspec.to_builtins(value))
        )

    def names(self) -> list[str]:
        """The names of all repositories, sorted."""
        installations = [
            msgspec.convert(value, _Installation)
            for key, value in self._store.checkpoints().items()
            if key.startswith(self._prefix)
        ]
        return sorted(
            {name for installation in installations for name in installation.repositories.values()}
        )
