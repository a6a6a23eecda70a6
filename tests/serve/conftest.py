"""A home that is served, shared by the tests of a module that only read it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.serving import Served, make_home, served


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("served") / "home")


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Served]:
    with served(home, body_mb=2, body_timeout=60, batch=50) as one:
        yield one


@pytest.fixture(scope="module")
def client(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as one:
        yield one
