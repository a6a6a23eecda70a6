"""The documentation site builds strictly, its links lead somewhere, it loads nothing foreign."""

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

pytest.importorskip("zensical", reason="the extra docs is not installed")

import build_site

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
BASE = "https://site.example/"
LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src"}
STYLES = re.compile(r"@import[^;]*|url\([^)]*\)")
ASKS = re.compile(r'data-md-component="?source|class="?(?:mermaid|glightbox|pyodide)')
"""What has the theme's script ask others: GitHub for stars, a CDN for diagrams and galleries."""


class Page(HTMLParser):
    """The ids, the links and what is loaded of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in {"canonical", "prev", "next"}:
            self.loaded.append(found.get("href", ""))
        elif tag in LOADED:
            self.loaded.append(found.get(LOADED[tag], ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documentation") / "built"
    assert build_site.build(folder) == 0
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Each page by its address."""
    return {
        urljoin(BASE, str(path.relative_to(site)).removesuffix("index.html")): Page(
            path.read_text("utf-8")
        )
        for path in site.rglob("*.html")
        if path.name != "404.html"  # it stands for any address, so that its links are absolute
    }


def test_every_link_within_the_site_leads_to_a_page_and_an_anchor(
    site: Path, pages: dict[str, Page]
) -> None:
    broken = [
        f"{address}: {link}"
        for address, page in pages.items()
        for link in page.links
        if not _leads_somewhere(urljoin(address, link), site, pages)
    ]
    assert broken == []


def _leads_somewhere(link: str, site: Path, pages: dict[str, Page]) -> bool:
    address, anchor = urldefrag(link)
    if not address.startswith(BASE):
        return urlsplit(link).scheme in {"https", "http", "mailto"}
    if address in pages:
        return not anchor or unquote(anchor) in pages[address].ids
    return (site / unquote(address.removeprefix(BASE))).is_file()


def test_every_link_to_the_repository_names_a_file_of_it(pages: dict[str, Page]) -> None:
    start = PROJECT["extra"]["social"][0]["link"] + "/"
    links = {link for page in pages.values() for link in page.links if link.startswith(start)}
    files = {re.sub(r"^(blob|tree|edit)/main/|#.*", "", link.removeprefix(start)) for link in links}
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert "src/pullrisk/errors.py" in files


def test_no_page_loads_anything_from_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    foreign = [
        f"{address}: {each}"
        for address, page in pages.items()
        for each in page.loaded
        if not urljoin(address, each).startswith((BASE, "data:"))
    ]
    styles = [*site.rglob("*.css"), *site.rglob("*.html")]
    foreign += [
        f"{path.name}: {each}"
        for path in styles
        for each in STYLES.findall(path.read_text("utf-8"))
        if "//" in each and "data:" not in each
    ]
    foreign += [path.name for path in site.rglob("*.html") if ASKS.search(path.read_text("utf-8"))]
    assert foreign == []


def test_every_page_stands_in_the_navigation() -> None:
    written = {str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")}
    listed = list(_files(PROJECT["nav"]))
    assert len(listed) == len({*listed})
    decisions = {name for name in written if re.match(r"decisions/\d", name)}  # its index has them
    assert set(listed) == written - decisions


def _files(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from _files(each)
