"""A GitHub App beside a fake GitHub, inside this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pullrisk.pulls.sqlite import SqliteStore
from support.app import AppRig, private_key


@pytest.fixture(scope="session")
def app_key() -> tuple[str, bytes]:
    return private_key()


@pytest.fixture
def rig(tmp_path: Path, app_key: tuple[str, bytes]) -> Iterator[AppRig]:
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        yield AppRig(store, app_key)
