"""The rendered manifests, once for all tests."""

import pytest

from support.deploy.manifests import BASE, COMPONENTS, Object, render, render_with


@pytest.fixture(scope="session")
def base() -> list[Object]:
    """What both clusters run."""
    return render(BASE)


@pytest.fixture(scope="session")
def monitored() -> list[Object]:
    """The base as the Applications opt in: scraped, with alerts and a dashboard."""
    return render_with("service-monitor", "alerts", "dashboard")


@pytest.fixture(scope="session")
def everything() -> list[Object]:
    """The base with every opt-in component."""
    return render_with(*COMPONENTS)
