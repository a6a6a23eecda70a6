"""The rendered manifests, once for all tests."""

import pytest

from support.deploy.manifests import BASE, COMPONENTS, OVERLAYS, Object, render, render_with


@pytest.fixture(scope="session")
def base() -> list[Object]:
    """What both clusters run."""
    return render(BASE)


@pytest.fixture(scope="session")
def monitored() -> list[Object]:
    """What production's Application renders: scraped, with alerts and a dashboard."""
    return render(OVERLAYS / "production")


@pytest.fixture(scope="session")
def everything() -> list[Object]:
    """The base with every opt-in component."""
    return render_with(*COMPONENTS)
