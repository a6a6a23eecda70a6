"""A served home with open pulls whose scores are published, shared by all who only read it."""

from collections.abc import Iterator

import httpx
import pytest

from support.dashboard import PUBLISHED, make_dashboard_home, wait_until_published
from support.serving import Served, served


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = make_dashboard_home(tmp_path_factory.mktemp("dashboard"))
    with served(home, recent=PUBLISHED) as one:
        wait_until_published(one)
        yield one


@pytest.fixture
def client(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url) as one:
        yield one
