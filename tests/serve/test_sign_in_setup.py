"""/setup: the App is made by GitHub's manifest flow, and its secrets are kept."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path

import httpx
import pytest

from fake_github.app import FakeGitHub
from fake_github.world import World
from support.loopback import listening
from support.serving import Served, make_home, served
from support.sign_in import MADE, GitHubSignIn

HOOK = "https://pullrisk.example.org"
OPERATOR = "a-key-of-an-operator"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def github() -> GitHubSignIn:
    return GitHubSignIn(FakeGitHub(World()), set())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("setup") / "home", pulls=5)


@pytest.fixture(scope="module")
def service(home: Path, github: GitHubSignIn) -> Iterator[Served]:
    """On loopback, without keys."""
    with ExitStack() as stack:
        environment = {"PULLRISK_GITHUB_URL": stack.enter_context(listening(github))}
        yield stack.enter_context(served(home, environment=environment))


@pytest.fixture
def browser(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=HTML, timeout=60) as one:
        yield one


def hidden(page: httpx.Response, name: str) -> str:
    value = re.search(f'name="{name}" value="([^"]*)"', page.text)
    assert value is not None, page.text
    return unescape(value[1])


def ask(browser: httpx.Client, **fields: str) -> httpx.Response:
    """Send the first form."""
    csrf = hidden(browser.get("/setup"), "csrf")
    return browser.post("/setup", data={"csrf": csrf, "address": HOOK, **fields})


def confirm(page: httpx.Response) -> httpx.Response:
    """Send the second form, which goes to GitHub; the person confirms."""
    action = re.search('action="([^"]*)"', page.text)
    assert action is not None
    return httpx.post(unescape(action[1]), data={"manifest": hidden(page, "manifest")})


def test_the_app_is_made_and_its_secrets_are_in_a_private_file(
    browser: httpx.Client, home: Path
) -> None:
    page = ask(browser, organization="acme")
    assert page.status_code == 200, page.text
    assert "/organizations/acme/settings/apps/new?state=" in page.text
    back = confirm(page)
    assert back.status_code == 302, back.text
    done = browser.get(back.headers["location"])
    assert done.status_code == 200, done.text
    file = home / "github-app.toml"
    assert str(file) in done.text
    assert f"{MADE['html_url']}/installations/new" in done.text
    assert file.stat().st_mode & 0o777 == 0o600
    kept = tomllib.loads(file.read_text())
    assert kept == {
        "github_app_id": "4711",
        "github_app_key": MADE["pem"],
        "github_webhook_secret": MADE["webhook_secret"],
        "github_client_id": MADE["client_id"],
        "github_client_secret": MADE["client_secret"],
    }
    assert str(MADE["webhook_secret"]) not in done.text
    again = browser.get(back.headers["location"])
    assert (again.status_code, "not begun" in again.text) == (403, True)


def test_the_manifest_asks_for_what_the_app_needs(browser: httpx.Client, service: Served) -> None:
    page = ask(browser)
    assert "/settings/apps/new?state=" in page.text
    assert "/organizations/" not in page.text
    manifest = hidden(page, "manifest")
    assert f'"redirect_url":"{service.url}/setup/callback"' in manifest
    assert f'"hook_attributes":{{"url":"{HOOK}/webhooks/github"' in manifest
    assert f'"callback_urls":["{HOOK}/sign-in/github/callback"]' in manifest
    policy = page.headers["content-security-policy"]
    assert re.search(r"form-action 'self' http://127\.0\.0\.1:\d+$", policy)


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "http://pullrisk.example.org"},
        {"address": "https://pullrisk.example.org/below"},
        {"address": "https://user:password@pullrisk.example.org"},
        {"address": "javascript:alert(1)"},
        {"address": ""},
        {"organization": "a/b"},
        {"organization": '"><script>'},
    ],
)
def test_what_is_no_address_or_organisation_is_refused(
    browser: httpx.Client, fields: dict[str, str]
) -> None:
    page = ask(browser, **fields)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "change", [("state=", "state=x"), ("code=", "code=../../user?"), ("code=", "c=")]
)
def test_an_answer_that_was_not_asked_for_makes_nothing(
    browser: httpx.Client, change: tuple[str, str]
) -> None:
    address = confirm(ask(browser)).headers["location"].replace(*change)
    assert browser.get(address).status_code == 403


def test_a_code_works_once(browser: httpx.Client, github: GitHubSignIn) -> None:
    address = confirm(ask(browser)).headers["location"]
    github.manifests.clear()
    answer = browser.get(address)
    assert (answer.status_code, "was used" in answer.text) == (403, True)


def test_a_page_from_elsewhere_cannot_begin(browser: httpx.Client) -> None:
    assert browser.post("/setup", data={"address": HOOK}).status_code == 403


def test_with_keys_only_an_operator_may(home: Path, github: GitHubSignIn) -> None:
    keys = {"PULLRISK_API_KEYS": "of-the-api", "PULLRISK_ADMIN_KEYS": OPERATOR}
    with served(home, environment=keys) as service:
        for key, status in (("of-the-api", 303), (OPERATOR, 200)):
            with httpx.Client(base_url=service.url, headers=HTML, timeout=60) as browser:
                first = browser.get("/setup")
                assert first.headers["location"] == "/sign-in?back=/setup"
                assert browser.get("/setup/callback?code=x&state=x").status_code == 303
                csrf = hidden(browser.get("/sign-in"), "csrf")
                form = {"csrf": csrf, "key": key, "back": "/setup"}
                assert browser.post("/sign-in/key", data=form).headers["location"] == "/setup"
                assert browser.get("/setup").status_code == status
