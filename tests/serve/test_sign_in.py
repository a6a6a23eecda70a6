"""Signing in as a browser does: real processes, stand-ins for GitHub and an OpenID provider."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_github.app import FakeGitHub
from fake_github.schema import github_schema
from fake_github.world import World
from pullrisk.options import SignInOptions
from pullrisk.serve.sign_in.oidc import OpenIdProvider
from pullrisk.serve.sign_in.provider import SignInError, ask, open_http
from pullrisk.serve.sign_in.routes import safe_path
from pullrisk.serve.sign_in.session import Flow
from support.loopback import Loopback, listening
from support.ports import free_port
from support.processes import until
from support.serving import Served, make_home, served
from support.sign_in import (
    CLIENT,
    CLIENT_SECRET,
    KEY,
    GitHubSignIn,
    OpenId,
    sign_in_environment,
)

NAME = "kedro-org/kedro"
OPERATOR = "a-key-of-an-operator"
HTML = {"accept": "text/html"}


class Rig:
    """A service, and who signs people in to it."""

    def __init__(self, service: Served, github: GitHubSignIn, openid: OpenId) -> None:
        self.service, self.github, self.openid = service, github, openid

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.service.url, headers=HTML, timeout=60)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("signing-in")
    home, port = make_home(folder / "home", pulls=20), free_port()
    url = f"http://127.0.0.1:{port}"
    (folder / "operators").write_text(OPERATOR)
    github_schema()  # reading it takes a part of the ten seconds that the service waits for GitHub
    world = World()
    world.add(NAME).private_to = frozenset()
    github = GitHubSignIn(FakeGitHub(world), {f"{url}/sign-in/github/callback"})
    openid = OpenId({f"{url}/sign-in/oidc/callback"})
    with ExitStack() as stack:
        openid.issuer = stack.enter_context(listening(openid))
        github_url = stack.enter_context(listening(github))
        environment = sign_in_environment(url, openid.issuer) | {"PULLRISK_GITHUB_URL": github_url}
        keys = {"admin_keys_file": folder / "operators", "workers": 2}
        service = served(home, environment=environment, port=port, **keys)
        yield Rig(stack.enter_context(service), github, openid)


@pytest.fixture(autouse=True)
def as_before(rig: Rig) -> Iterator[None]:
    """Whatever a test changes at the providers is as before for the next."""
    yield
    rig.github.login, rig.github.may_read, rig.github.down = "mara", {}, False
    rig.openid.claims, rig.openid.algorithm = {}, "RS256"
    rig.openid.signed_with = rig.openid.key
    rig.github.instead, rig.openid.instead = {}, {}


def begin(browser: httpx.Client, provider: str = "github", back: str = "/account") -> str:
    """Where the provider sends the browser back to, with state and code."""
    first = browser.get(f"/sign-in/{provider}", params={"back": back})
    assert first.status_code == 303, first.text
    second = httpx.get(first.headers["location"])
    assert second.status_code == 302, second.text
    return str(second.headers["location"])


def sign_in(browser: httpx.Client, provider: str = "github") -> httpx.Response:
    return browser.get(begin(browser, provider))


def refused(answer: httpx.Response, browser: httpx.Client) -> str:
    """The sentence of a refusal, after which nobody is signed in."""
    assert answer.status_code == 403, answer.text
    assert browser.get("/account").status_code == 303
    sentence = re.search(r'role="alert">(.*)</p>', answer.text)
    assert sentence is not None
    return sentence[1]


def csrf_of(page: httpx.Response) -> str:
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None, page.text
    return token[1]


def code_of(address: str) -> str:
    """The code with which a provider sends the browser back."""
    return parse_qs(urlsplit(address).query)["code"][0]


def cookie_of(answer: httpx.Response) -> str:
    (header,) = answer.headers.get_list("set-cookie")
    return str(header)


def test_a_page_leads_to_the_sign_in_and_back(rig: Rig) -> None:
    with rig.browser() as browser:
        first = browser.get("/account?page=2&text=a%20b")
        assert first.status_code == 303
        where = first.headers["location"]
        assert where == "/sign-in?back=/account%3Fpage%3D2%26text%3Da%2520b"
        page = browser.get(where)
        assert 'href="/sign-in/github?back=/account%3Fpage%3D2%26text%3Da%2520b"' in page.text
        done = browser.get(begin(browser, back="/account?page=2&text=a%20b"))
        assert done.headers["location"] == "/account?page=2&text=a%20b"


def test_a_program_is_told_to_show_a_key(rig: Rig) -> None:
    assert httpx.get(f"{rig.service.url}/account").status_code == 401
    wrong = httpx.get(f"{rig.service.url}/account", headers=HTML | {"x-api-key": "wrong"})
    assert wrong.status_code == 401
    right = httpx.get(f"{rig.service.url}/account", headers={"x-api-key": KEY})
    assert "all repositories" in right.text


@pytest.mark.parametrize(("may_read", "seen"), [({NAME}, True), (set(), False)])
def test_a_person_sees_what_they_may_read_on_github(
    rig: Rig, may_read: set[str], seen: bool
) -> None:
    rig.github.may_read["mara"] = may_read
    with rig.browser() as browser:
        assert sign_in(browser).headers["location"] == "/account"
        page = browser.get("/account").text
        assert "Signed in as mara" in page
        assert (NAME in page) is seen


@pytest.mark.parametrize("path", ["/", "/repositories", "/pulls/o/r/1", "/operations", "/models"])
def test_every_page_leads_who_is_not_signed_in_to_the_sign_in(rig: Rig, path: str) -> None:
    answer = httpx.get(f"{rig.service.url}{path}", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?back={path}")


def test_pages_show_a_person_no_other_repository(rig: Rig) -> None:
    for may_read, status in (({NAME}, 200), (set[str](), 404)):
        rig.github.may_read["mara"] = may_read
        with rig.browser() as browser:
            sign_in(browser)
            assert browser.get(f"/repositories/{NAME}").status_code == status
            for path in ("/", "/repositories", "/operations", "/models", "/live/pulls"):
                page = browser.get(path)
                assert page.status_code == 200
                assert NAME not in page.text or may_read, path


def test_what_a_person_may_read_is_asked_anew(rig: Rig) -> None:
    rig.github.may_read["mara"] = {NAME}
    (repository,) = rig.github.github.world.repositories.values()
    with rig.browser() as browser:
        sign_in(browser)
        assert NAME in browser.get("/account").text
        repository.private_to = frozenset()
        until(lambda: NAME not in browser.get("/account").text)
        rig.github.forget("mara")
        until(lambda: browser.get("/account").status_code == 303)


def test_while_github_does_not_answer_nothing_is_shown(rig: Rig) -> None:
    rig.github.may_read["mara"] = {NAME}
    with rig.browser() as browser:
        sign_in(browser)
        rig.github.down = True
        until(lambda: browser.get("/account").status_code == 503)
        rig.github.down = False
        until(lambda: NAME in browser.get("/account").text)


def test_another_repository_under_an_old_name_shows_nothing() -> None:
    """A private repository was deleted; somebody made a public one of its name."""
    import asyncio

    from fake_github.accounts import Account
    from fake_github.inside import URL, Inside
    from pullrisk.serve.sign_in.github import GitHubAddresses, GitHubOAuth

    world = World()
    number = world.add("o/r").id
    github = FakeGitHub(world)
    github.accounts.tokens["t"] = Account(login="mara")

    async def readable(known: dict[str, int | None]) -> frozenset[str]:
        async with httpx.AsyncClient(transport=Inside(github)) as http:
            addresses = GitHubAddresses(URL, f"{URL}/api/v3", f"{URL}/api/graphql")
            oauth = GitHubOAuth(addresses, lambda: ("", ""), http)
            return (await oauth.readable("t", known)).repositories

    assert asyncio.run(readable({"o/r": None, "o/gone": None})) == {"o/r"}
    assert asyncio.run(readable({"o/r": number})) == {"o/r"}
    assert asyncio.run(readable({"o/r": number + 1})) == frozenset()
    many: dict[str, int | None] = {f"o/r{place}": None for place in range(250)}
    assert asyncio.run(readable(many | {"o/r": number, "no name": None})) == {"o/r"}
    assert asyncio.run(readable({})) == frozenset()


def test_a_session_is_another_after_the_sign_in_and_out_of_reach_of_scripts(rig: Rig) -> None:
    with rig.browser() as browser:
        offered = browser.get("/sign-in")
        done = sign_in(browser)
        for answer in (offered, done):
            assert "HttpOnly" in cookie_of(answer)
            assert "SameSite=lax" in cookie_of(answer)
            assert "Max-Age=28800" in cookie_of(answer)
        assert csrf_of(browser.get("/account")) != csrf_of(offered)
        assert "set-cookie" not in browser.get("/account").headers
        assert "mara" not in cookie_of(done)


def test_a_sign_out_ends_the_session_and_the_token(rig: Rig) -> None:
    with rig.browser() as browser:
        sign_in(browser)
        page = browser.get("/account")
        copy = dict(browser.cookies)
        assert browser.post("/sign-out").status_code in (403, 415)
        assert browser.get("/account").status_code == 200
        out = browser.post("/sign-out", data={"csrf": csrf_of(page)})
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
        assert browser.get("/account").status_code == 303
    with httpx.Client(base_url=rig.service.url, headers=HTML, cookies=copy) as thief:
        until(lambda: thief.get("/account").status_code == 303)


def test_another_state_is_refused(rig: Rig) -> None:
    with rig.browser() as browser:
        address = begin(browser)
        state = parse_qs(urlsplit(address).query)["state"][0]
        answer = browser.get(address.replace(state, "x" * len(state)))
        assert "not begun in this browser" in refused(answer, browser)
        assert "not begun in this browser" in refused(browser.get(address), browser)


def test_a_sign_in_that_another_browser_began_is_refused(rig: Rig) -> None:
    with rig.browser() as browser, rig.browser() as victim:
        address = begin(browser)
        begin(victim)
        assert "not begun in this browser" in refused(victim.get(address), victim)


def test_a_code_works_once(rig: Rig) -> None:
    with rig.browser() as browser, rig.browser() as second:
        address = begin(browser)
        browser.get(address)
        again = browser.get(address)
        assert (again.status_code, browser.get("/account").status_code) == (403, 200)
        later = begin(second)
        used = second.get(later.replace(code_of(later), code_of(address)))
        assert "bad_verification_code" in refused(used, second)


def test_the_code_of_another_sign_in_lacks_the_right_verifier(rig: Rig) -> None:
    with rig.browser() as browser, rig.browser() as second:
        code = code_of(begin(browser))
        later = begin(second)
        own = code_of(later)
        assert "bad_verification_code" in refused(second.get(later.replace(own, code)), second)


def test_the_flow_of_one_provider_does_not_end_at_the_other(rig: Rig) -> None:
    with rig.browser() as browser:
        address = begin(browser, "oidc").replace("/oidc/", "/github/")
        assert "not begun in this browser" in refused(browser.get(address), browser)


def test_who_says_no_is_not_signed_in(rig: Rig) -> None:
    with rig.browser() as browser:
        address = begin(browser)
        state = parse_qs(urlsplit(address).query)["state"][0]
        path = urlsplit(address).path
        query = {"error": "<b>access_denied</b>", "state": state}
        sentence = refused(browser.get(path, params=query), browser)
        assert "&lt;b&gt;access_denied" in sentence


def test_a_claim_of_the_token_names_what_a_person_sees(rig: Rig) -> None:
    rig.openid.claims = {"repositories": [NAME, 7, "o/r"]}
    with rig.browser() as browser:
        assert sign_in(browser, "oidc").status_code == 303
        page = browser.get("/account").text
        assert "Signed in as otto" in page
        assert NAME in page


@pytest.mark.parametrize("claims", [{}, {"repositories": "all"}, {"repositories": {NAME: True}}])
def test_without_the_claim_a_person_sees_nothing(rig: Rig, claims: dict[str, object]) -> None:
    rig.openid.claims = claims
    with rig.browser() as browser:
        sign_in(browser, "oidc")
        assert "you may read none" in browser.get("/account").text


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"nonce": "of another sign-in"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"aud": "somebody else"}, "Audience"),
        ({"aud": [CLIENT, "x"], "azp": "x"}, "somebody else"),
        ({"iss": "https://example.org"}, "issuer"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"sub": None}, "sub"),
        ({"iat": 9_999_999_999}, "not yet valid"),
        ({"repositories": [f"o/{'r' * 98}"] * 201}, "more repositories than 20,000 letters"),
        ({"nonce": "\ud800"}, "another sign-in"),
        ({"exp": float("inf")}, "not valid"),
        ({"aud": {"a": 1}}, "not valid"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    rig: Rig, claims: dict[str, object], sentence: str
) -> None:
    rig.openid.claims = claims
    with rig.browser() as browser:
        assert sentence in refused(sign_in(browser, "oidc"), browser)


def test_half_a_character_of_a_name_signs_nobody_out(rig: Rig) -> None:
    rig.openid.claims = {"preferred_username": "o\ud800o", "repositories": [NAME, "a\udfff", 5]}
    with rig.browser() as browser:
        sign_in(browser, "oidc")
        page = browser.get("/account").text
        assert "Signed in as o?o" in page
        assert NAME in page


NO_JSON = (b"", b"null", b"[]", b"{", b'{"a":"\xff"}', b"[" * 20_000, b'{"a":"\\ud800"}')


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        *(("access_token", answer) for answer in NO_JSON),
        *(("graphql", answer) for answer in NO_JSON),
        ("access_token", b'{"access_token":5}'),
        ("access_token", '{"access_token":"ł"}'.encode()),
        ("access_token", b'{"access_token":"a\\r\\nx: y"}'),
        ("access_token", b'{"access_token":"%s"}' % (b"a" * 100_000)),
        ("graphql", b'{"data":[]}'),
        ("graphql", b'{"data":{"viewer":"mara"}}'),
        ("graphql", b'{"data":{"viewer":{"login":["mara"]}}}'),
        ("graphql", b'{"data":{"viewer":{"login":"%s"}}}' % (b"a" * 100_000)),
        ("graphql", b'{"data":{"viewer":{"login":"mara"},"r0":[]}}'),
        ("graphql", b'{"data":{"viewer":{"login":"mara"},"r0":{"databaseId":"1"}}}'),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_github_should_not_answer_signs_nobody_in(rig: Rig, path: str, answer: bytes) -> None:
    with rig.browser() as browser:
        back = begin(browser)
        rig.github.instead = {path: answer}
        done = browser.get(back)
        assert done.status_code in (403, 503), done.text
        assert browser.get("/account").status_code == 303


@pytest.mark.parametrize(
    "answer",
    [
        *NO_JSON,
        b'{"id_token":5}',
        b'{"id_token":"a.b.c"}',
        b'{"id_token":"\xc5\x82"}',
        b'{"id_token":"%s.e30.e30"}' % base64.urlsafe_b64encode(b"[" * 20_000).rstrip(b"="),
        b'{"error":{"a":1}}',
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_provider_should_not_answer_signs_nobody_in(rig: Rig, answer: bytes) -> None:
    with rig.browser() as browser:
        back = begin(browser, "oidc")
        rig.openid.instead = {"/token": answer}
        done = browser.get(back)
        assert done.status_code in (403, 503), done.text
        assert browser.get("/account").status_code == 303


ODD_KEYS: tuple[dict[str, Any], ...] = (
    {"kty": "RSA", "kid": {"a": 1}, "n": "AQAB", "e": "AQAB"},
    {"kty": "RSA", "kid": "first", "n": "\u0142", "e": "!"},
    {"kty": ["RSA"], "kid": "first"},
    {"kty": "EC", "crv": 5, "x": None},
    {},
)


@pytest.mark.parametrize("keys", [ODD_KEYS, [5], "keys", None])
def test_keys_that_are_none_are_left_out(keys: Any) -> None:
    body = json.dumps({"keys": keys}).encode()
    openid = OpenId({"https://x.example"})
    openid.instead = {"/keys": body}

    async def sign_in() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(openid)) as http:
            openid.issuer = "https://id.example"
            options = SignInOptions(oidc_issuer=openid.issuer, oidc_client_id=CLIENT)
            provider = OpenIdProvider(options, secret=lambda: CLIENT_SECRET, http=http)
            flow = Flow(provider="oidc")
            asked = httpx.URL(await provider.address(flow, "https://x.example"))
            answer = openid.codes.authorize(dict(asked.params))
            code = parse_qs(urlsplit(answer[2]["location"]).query)["code"][0]
            await provider.person(code, flow, "https://x.example")

    with pytest.raises(SignInError, match=r"does not list|as expected"):
        asyncio.run(sign_in())


@pytest.mark.parametrize("address", ["http://[", "", "ftp://x", "https://" + "a" * 70_000, "\0"])
def test_an_address_that_is_none_leads_nowhere(address: str) -> None:
    openid = OpenId(set())
    described = {"issuer": "https://id.example", "authorization_endpoint": "https://a.example",
                 "token_endpoint": address, "jwks_uri": "https://a.example"}  # fmt: skip
    openid.instead = {"configuration": json.dumps(described).encode()}

    async def sign_in() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(openid)) as http:
            options = SignInOptions(oidc_issuer="https://id.example", oidc_client_id=CLIENT)
            provider = OpenIdProvider(options, secret=lambda: CLIENT_SECRET, http=http)
            await provider.person("code", Flow(provider="oidc"), "https://x.example")

    with pytest.raises(SignInError):
        asyncio.run(sign_in())


@pytest.mark.parametrize(("algorithm", "key"), [("none", None), ("HS256", "x" * 64), ("RS256", "")])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    rig: Rig, algorithm: str, key: Any
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    rig.openid.algorithm = algorithm
    rig.openid.signed_with = stranger if key == "" else key
    with rig.browser() as browser:
        assert "not valid" in refused(sign_in(browser, "oidc"), browser)


def by_key(browser: httpx.Client, key: str, back: str = "/account") -> httpx.Response:
    token = csrf_of(browser.get("/sign-in"))
    return browser.post("/sign-in/key", data={"key": key, "back": back, "csrf": token})


def test_a_key_of_the_api_signs_in_to_all(rig: Rig) -> None:
    with rig.browser() as browser:
        assert by_key(browser, KEY).headers["location"] == "/account"
        assert "all repositories" in browser.get("/account").text
        assert KEY not in str(dict(browser.cookies))


def test_a_wrong_key_and_that_of_an_operator_open_no_page(rig: Rig) -> None:
    with rig.browser() as browser:
        assert by_key(browser, "wrong").status_code == 401
        assert by_key(browser, "").status_code == 401
        assert by_key(browser, OPERATOR).status_code == 303
        assert browser.get("/account").status_code == 303


@pytest.mark.parametrize(
    ("token", "status"), [(None, 403), ("", 403), ("ä" * 40, 403), ("x" * 20_000, 413)]
)
def test_a_form_of_nobody_is_refused(rig: Rig, token: str | None, status: int) -> None:
    with rig.browser() as browser:
        browser.get("/sign-in")
        form = {"key": KEY} | ({} if token is None else {"csrf": token})
        assert browser.post("/sign-in/key", data=form).status_code == status
        assert browser.post("/sign-in/key", data=form).headers["content-type"][:9] == "text/html"
        json = browser.post("/sign-in/key", json={"key": KEY, "csrf": token})
        assert json.status_code == 415
        assert browser.get("/account").status_code == 303


@pytest.mark.parametrize(
    "cookie",
    [
        "x",
        "null",
        "%%%",
        "ä",
        "A" * 4_000,
        "YWRkaXRpb25hbF9hdXRoZW50aWNhdGVkX2RhdGE9e30=",
        "eGFkZGl0aW9uYWxfYXV0aGVudGljYXRlZF9kYXRhPXsiZXhwaXJlc19hdCI6OTk5OTk5OTk5OTl9",
        "eGFkZGl0aW9uYWxfYXV0aGVudGljYXRlZF9kYXRhPW51bGw=",
    ],
)
@pytest.mark.parametrize("name", ["pullrisk", "pullrisk-0", "pullrisk-77"])
def test_a_cookie_of_a_strangers_making_is_no_session(rig: Rig, cookie: str, name: str) -> None:
    header = {b"accept": b"text/html", b"cookie": f"{name}={cookie}".encode()}
    for path, status in (("/account", 303), ("/sign-in", 200), ("/sign-in/github/callback", 403)):
        answer = httpx.get(f"{rig.service.url}{path}", headers=header)
        assert answer.status_code == status


def test_pages_say_what_a_browser_may_load(rig: Rig) -> None:
    for path in ("/sign-in", "/sign-in/github/callback", "/docs"):
        answer = httpx.get(f"{rig.service.url}{path}", headers=HTML)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "cache-control" in answer.headers
        assert "<script" not in answer.text
        assert " style=" not in answer.text


def test_routes_of_pages_are_no_part_of_the_api(rig: Rig) -> None:
    paths = httpx.get(f"{rig.service.url}/openapi.json").json()["paths"]
    assert not [path for path in paths if "sign" in path or "account" in path]
    assert httpx.get(f"{rig.service.url}/v1/model", headers=HTML).status_code == 401


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/o/r/1?a=b&c=%20", "/o/r/1?a=b&c=%20"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/x\\y", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a b", "/"),
        ("/ä", "/"),
        ("/\r\nset-cookie: a", "/"),
        ("/" + "x" * 3_000, "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_only_paths_of_this_service_are_gone_back_to(text: object, path: str) -> None:
    assert safe_path(text) == path


def test_no_address_of_somebody_elses_is_gone_back_to(rig: Rig) -> None:
    with rig.browser() as browser:
        done = browser.get(begin(browser, back="//evil.example/x"))
        assert done.headers["location"] == "/"
        assert by_key(browser, KEY, back="https://evil.example").headers["location"] == "/"


def test_half_a_way_to_sign_in_is_refused_at_the_start(tmp_path: Path) -> None:
    secret = {"PULLRISK_GITHUB_CLIENT_SECRET": "x"}
    with Served(tmp_path / "home", environment=secret) as service:
        assert service.process.wait(60) == 3
        assert "github_client_id" in service.errors()


def test_on_loopback_without_keys_nobody_signs_in(tmp_path: Path) -> None:
    with served(make_home(tmp_path / "home", pulls=5)) as service:
        page = httpx.get(f"{service.url}/account", headers=HTML)
        assert "Nobody has to sign in here" in page.text
        assert httpx.get(f"{service.url}/sign-in").headers["location"] == "/"
        other = httpx.get(f"{service.url}/account", headers=HTML | {"host": "example.org"})
        assert other.status_code == 421


class _Once(BaseHTTPRequestHandler):
    """Answers one request on each connection, and ends it when the next one comes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.close_connection = vars(self).setdefault("answered", False)
        if not self.close_connection:
            vars(self)["answered"] = True
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()


def test_a_provider_may_end_idle_connections_without_a_word() -> None:
    async def calls(url: str) -> list[int]:
        async with open_http() as http:
            return [(await ask(http, "POST", url)).status_code for _ in range(2)]

    with Loopback(_Once) as provider:
        assert asyncio.run(calls(provider.url)) == [200, 200]
