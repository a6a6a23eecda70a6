"""The pages in a real, headless Chromium: barriers, errors, phones, slow networks, live lists."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pullrisk.pulls.scores_sqlite import SqliteScores
from support.dashboard import HOSTILE, TITLES, open_numbers
from support.processes import PATIENCE
from support.serving import Served

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright of the extra dev is not installed: make setup"
)
AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
KEPT = os.environ.get("PULLRISK_TEST_SCREENSHOTS")
"""Folder in which screenshots stay, to be looked at."""
KEDRO = "kedro-org/kedro"
PULL = f"/pulls/{KEDRO}/{open_numbers()[0]}"
PAGES = {
    "pulls": "/?shown=all",
    "pull": PULL,
    "hostile": f"/pulls/{KEDRO}/{open_numbers()[1]}",
    "repositories": "/repositories",
    "repository": f"/repositories/{KEDRO}",
    "models": "/models",
    "operations": "/operations",
    "missing": "/pulls/no/such/1",
}
PHONE = {"width": 375, "height": 740}
DESK = {"width": 1280, "height": 900}
Open = Callable[..., Any]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: make test-tools"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, service: Served) -> Iterator[Open]:
    """Opens pages in contexts of their own; at the end none may have logged an error."""
    contexts: list[Any] = []
    errors: list[str] = []

    def opened(path: str, **options: Any) -> Any:
        context = browser.new_context(base_url=service.url, viewport=DESK, **options)
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [each for each in errors if "404 (Not Found)" not in each] == []


def keep(page: Any, name: str) -> None:
    """Keep a screenshot where somebody asked for them."""
    if KEPT:
        page.screenshot(path=Path(KEPT) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_barrier(open_page: Open, name: str, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make setup")
    # axe-core is put into the page as a test's script, which its policy would refuse
    page = open_page(PAGES[name], color_scheme=scheme, bypass_csp=True)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    told = [(each["id"], each["nodes"][0]["html"]) for each in found]
    keep(page, f"{name}-{scheme}")
    assert told == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_the_whole_width(open_page: Open, name: str) -> None:
    page = open_page(PAGES[name])
    page.set_viewport_size(PHONE)
    keep(page, f"{name}-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize(
    ("field", "value", "count"),
    [
        ("shown", "open", 3),
        ("repository", KEDRO, None),
        ("band", "low", None),
        ("author", "nobody", 0),
        ("label", "bug", 3),
        ("path", "kedro/", None),
        ("text", "rework the", 1),
        ("sort", "size", None),
    ],
)
def test_each_filter_works_by_keyboard_and_leads_to_an_address(
    open_page: Open, field: str, value: str, count: int | None
) -> None:
    page = open_page("/")
    control = page.locator(f"[name={field}]")
    if control.evaluate("each => each.tagName") == "SELECT":
        control.select_option(value)
        page.get_by_role("button", name="Apply").press("Enter")
    else:
        control.fill(value)
        control.press("Enter")
    page.wait_for_url(lambda url: f"{field}=" in url and "=&" not in url)
    if count is not None:
        assert page.locator("li.pull").count() == count
    assert page.locator(f"[name={field}]").input_value() == value


def test_back_leads_to_the_list_as_it_was(open_page: Open) -> None:
    page = open_page("/?shown=open&sort=created")
    before = page.locator("li.pull h2").all_inner_texts()
    page.locator("li.pull h2 a").first.click()
    page.wait_for_url("**/pulls/**")
    page.go_back()
    page.wait_for_url("**/?shown=open&sort=created")
    assert page.locator("li.pull h2").all_inner_texts() == before
    assert page.locator("[name=sort]").input_value() == "created"


def test_a_hostile_title_is_shown_and_does_nothing(open_page: Open) -> None:
    page = open_page(PAGES["hostile"])
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    shown = HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}")
    assert page.locator("h1").inner_text() == shown


def test_the_first_tab_leads_past_the_navigation(open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_list_works_without_scripts(open_page: Open) -> None:
    page = open_page("/?shown=open", java_script_enabled=False)
    assert page.locator("li.pull").count() == len(TITLES)
    page.locator("[name=text]").fill("small")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/?shown=open&text=small")
    assert page.locator("li.pull").count() == 1


def test_an_open_list_follows_what_is_published(open_page: Open, service: Served) -> None:
    page = open_page("/?shown=open")
    table = SqliteScores(service.home / "pulls.sqlite")
    kept = table.get(KEDRO, open_numbers()[2])
    assert kept is not None
    try:
        table.put([msgspec.structs.replace(kept, title="A small change, renamed")])
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.get_by_text("A small change, renamed").wait_for()
        assert page.locator("li.pull").count() == len(TITLES)
    finally:
        table.put([kept])
        table.close()


def test_a_slow_network_shows_words_before_the_script_is_there(open_page: Open) -> None:
    page = open_page("about:blank")
    page.route(re.compile(r"htmx\.min\.js"), lambda route: None)  # never answered
    page.goto("/?shown=open", wait_until="commit")
    page.locator("li.pull").first.wait_for()
    assert page.locator("li.pull").count() == len(TITLES)
