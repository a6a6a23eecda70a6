"""What the dashboard carries of others is what they published, and is licensed."""

import json
from pathlib import Path

import pytest

from pullrisk.dashboard.page import static_file

HERE = Path(__file__).parent


def test_htmx_is_a_copy_of_the_package() -> None:
    published = HERE / "node_modules/htmx.org/dist/htmx.min.js"
    if not published.exists():
        pytest.skip("npm packages are not installed: make setup")
    assert static_file("htmx.min.js") == published.read_bytes()


def test_the_notice_names_the_version_of_htmx() -> None:
    version = json.loads((HERE / "package.json").read_bytes())["dependencies"]["htmx.org"]
    notice = (HERE.parents[1] / "NOTICE").read_text()
    assert f"version {version}" in notice
    assert f'version:"{version}"'.encode() in static_file("htmx.min.js")
