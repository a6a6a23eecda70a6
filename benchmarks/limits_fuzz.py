"""Fuzzers of the service, for `serve_limits.py`: each takes turns at services that live on.

changed bytes   valid requests of the API, pages and webhooks, changed byte by byte
schema          schemathesis, by the service's own OpenAPI
pages           hypothesis: pages, forms, cookies and sign-ins with hostile values
webhooks        hypothesis: signed rightly or not, while GitHub's answers are spoilt too
sign-ins        whole flows, with hostile codes and providers whose answers are spoilt
"""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import hypothesis
import msgspec
from hypothesis.strategies import SearchStrategy

from fake_github.app import FakeGitHub
from fake_github.world import World, pull_like
from limits_spoiling import Spoiling
from support.app import (
    INSTALLATION,
    SECRET,
    about_pull,
    app_environment,
    comment,
    private_key,
    signed_headers,
)
from support.http_fuzz import mutated, send, valid
from support.loopback import listening
from support.page_fuzz import WORDS, requests, spoilt, webhooks
from support.ports import free_port
from support.serving import Served, served
from support.sign_in import CLIENT, KEY, GitHubSignIn, OpenId, sign_in_environment

NAME: Final = "kedro-org/kedro"
OPERATOR = "a-key-of-an-operator"
SHARE: Final = 0.4
"""Of the answers of GitHub and of the OpenID provider, those that are spoilt."""
_NO_DEFECT: Final = (503, 504)
_HTML: Final = {"accept": "text/html"}
_EXAMPLES: Final = 100
_OPEN_PULLS: Final = 60
_SEEDS: Final = (
    "/", "/?shown=all&text=a&page=2", "/repositories", f"/repositories/{NAME}", f"/pulls/{NAME}/7",
    "/account", "/sign-in?back=/a", "/setup", "/models",
)  # fmt: skip


class Tally(msgspec.Struct):
    """What a fuzzer saw: statuses by count, and requests or runs that show a defect."""

    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    defects: list[str] = msgspec.field(default_factory=list)
    seconds: float = 0.0

    def note(self, request: object, statuses: Sequence[int]) -> None:
        """One request and its answers."""
        self.statuses.update(statuses)
        if any(status >= 500 and status not in _NO_DEFECT for status in statuses):
            self.defects.append(f"{list(statuses)} to {request!r}"[:3_000])


Slice = Callable[[Tally, float, int], None]
"""Fuzzes for so many seconds, with a seed, and notes what it sees."""


class Rig:
    """A service with keys, pages and an App, and those whom it asks; another without keys."""

    def __init__(self, keyed: Served, keyless: Served, asked: Sequence[Spoiling]) -> None:
        self.keyed, self.keyless, self.asked = keyed, keyless, asked
        self._read = {keyed.port: 0, keyless.port: 0}

    def fuzzers(self, folder: Path) -> Iterator[tuple[str, Slice]]:
        """Each fuzzer by its name, at each service that it is for."""
        keyed, keyless = self.keyed, self.keyless
        yield "changed bytes", lambda *given: changed_bytes(keyless, valid(), *given)
        yield (
            "changed bytes, keys",
            lambda *given: changed_bytes(keyed, [*valid(), *page_seeds(keyed)], *given),
        )
        yield "schema", lambda *given: by_schema(keyless, folder, "", *given)
        yield "schema, keys", lambda *given: by_schema(keyed, folder, KEY, *given)
        yield "pages", lambda *given: pages(keyless, (), *given)
        yield "pages, keys", lambda *given: pages(keyed, signed_in(keyed), *given)
        yield "webhooks", lambda *given: self._spoilt(signed_deliveries, *given)
        yield "sign-ins", lambda *given: self._spoilt(sign_ins, *given)

    def _spoilt(
        self, work: Callable[["Rig", Tally, float, int], None], tally: Tally, seconds: float,
        seed: int,
    ) -> None:  # fmt: skip
        for each in self.asked:
            each.share = SHARE
        try:
            work(self, tally, seconds, seed)
        finally:
            for each in self.asked:
                each.share = 0.0

    def logged_defects(self) -> Iterator[str]:
        """New lines of both logs that tell a defect, whatever was answered."""
        for service in (self.keyed, self.keyless):
            with service.log.open("rb") as log:
                log.seek(self._read[service.port])
                lines = log.read().split(b"\n")
            self._read[service.port] += sum(len(line) + 1 for line in lines[:-1])
            for line in lines[:-1]:
                if b'"defect"' in line or b'"level":"error"' in line or b"Traceback" in line:
                    yield line.decode(errors="replace")[-3_000:]


@contextmanager
def rig(homes: Sequence[Path], seed: int) -> Iterator[Rig]:
    """Both services, each with a home of its own, and stand-ins for GitHub and a provider."""
    port, key = free_port(), private_key()
    url = f"http://127.0.0.1:{port}"
    world = World()
    repository = world.add(NAME, [pull_like(10**6)])
    for _ in range(_OPEN_PULLS):
        world.open_pull(repository, user={"login": "someone", "type": "User"})
    fake = FakeGitHub(world)
    fake.accounts.app_key, fake.accounts.app_installations = key[1], (INSTALLATION,)
    github = GitHubSignIn(fake, {f"{url}/sign-in/github/callback"})
    openid = OpenId({f"{url}/sign-in/oidc/callback"})
    asked = Spoiling(github, seed=seed), Spoiling(openid, seed=seed + 1)
    operators = homes[0].parent / "operators"
    operators.write_text(OPERATOR)
    with ExitStack() as stack:
        openid.issuer = stack.enter_context(listening(asked[1]))
        github_url = stack.enter_context(listening(asked[0]))
        environment = app_environment(github_url, key) | sign_in_environment(url, openid.issuer)
        common = {"access_log": "false", "body_timeout": 2}
        keyed = served(
            homes[0], environment=environment, port=port, admin_keys_file=operators, **common
        )
        keyless = served(homes[1], environment={"PULLRISK_GITHUB_URL": github_url}, **common)
        yield Rig(stack.enter_context(keyed), stack.enter_context(keyless), asked)


def changed_bytes(
    service: Served, seeds: list[bytes], tally: Tally, seconds: float, seed: int
) -> None:
    """Valid requests changed byte by byte."""
    chance, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        request = mutated(chance, seeds)
        tally.note(request, send(service.port, request, patience=0.3))


def page_seeds(service: Served) -> list[bytes]:
    """Valid requests of pages and webhooks, with a key or a session."""
    (cookie, *_), made = signed_in(service), []
    for path in _SEEDS:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
        made.append(f"{head}Cookie: {cookie}\r\n\r\n".encode())
        made.append(f"{head}X-API-Key: {KEY}\r\n\r\n".encode())
    body = (
        b'{"action":"opened","installation":{"id":77},"repository":{"id":1000,"full_name":"a/b"}}'
    )
    named = "".join(f"{k}: {v}\r\n" for k, v in signed_headers(body, "pull_request").items())
    head = f"POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\n{named}"
    return [*made, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body]


def by_schema(
    service: Served, folder: Path, key: str, tally: Tally, seconds: float, seed: int
) -> None:
    """schemathesis again and again, each time with another seed; "" shows no key."""
    program, end = Path(sys.executable).with_name("schemathesis"), time.monotonic() + seconds
    shown = [f"--header=Authorization: Bearer {key}"] if key else []
    while time.monotonic() < end:
        ran = subprocess.run(
            [program, "run", f"{service.url}/openapi.json", f"--seed={seed}", "--no-color",
             "--phases=coverage,fuzzing", "--max-examples=20", *shown],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        tally.statuses[0] += 1
        if ran.returncode:
            tally.defects.append(ran.stdout[-4_000:])
        seed += 1


def pages(service: Served, cookies: Sequence[str], tally: Tally, seconds: float, seed: int) -> None:
    """Pages and forms with hostile values, cookies and keys."""
    shown: list[Mapping[str, str]] = [
        {}, {}, {"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}, {"x-csrf-token": "a"},
        {"accept-language": "\xe9", "if-none-match": '"', "range": "bytes=9-1"},
        {"hx-request": "true", "hx-current-url": "http://["},
    ]  # fmt: skip
    shown += [{"x-csrf-token": token} for token in csrf_tokens(service, cookies)]
    strategy = requests([*cookies, "pullrisk=a", ""], shown)
    by_hypothesis(service, strategy, tally, seconds, seed)


def signed_deliveries(of: Rig, tally: Tally, seconds: float, seed: int) -> None:
    """Deliveries that GitHub would not send, then some that it would, of pulls that are spoilt."""
    by_hypothesis(of.keyed, webhooks(SECRET), tally, seconds / 2, seed)
    chance, end = random.Random(seed), time.monotonic() + seconds / 2
    github: Any = of.asked[0].application
    world = github.github.world
    repository = world.named(NAME)
    kept = dict(repository.pulls)
    with httpx.Client(base_url=of.keyed.url, timeout=60) as client:
        while time.monotonic() < end:
            number = chance.randrange(10**6 + 1, 10**6 + _OPEN_PULLS)
            changed = spoilt(kept[number], chance)
            if isinstance(changed, dict) and {"head", "base", "updated_at"} <= changed.keys():
                repository.pulls[number] = changed
            body = about_pull(repository, number)
            event = "pull_request"
            if chance.random() < 0.3:
                text = f"/pullrisk {chance.choice(('wrong', 'explain', *WORDS))}"
                body, event = comment(repository, number, text), "issue_comment"
            answer = client.post(
                "/webhooks/github", content=body, headers=signed_headers(body, event)
            )
            tally.note(body, [answer.status_code])
            time.sleep(0.02)
    repository.pulls.update(kept)


def by_hypothesis(
    service: Served, strategy: SearchStrategy[bytes], tally: Tally, seconds: float, seed: int
) -> None:
    """Requests of a strategy, in batches; what fails is made as small as can be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        last = _batch(service, strategy, tally, seed)
        if last is not None:
            tally.note(*last)
        seed += 1


def _batch(
    service: Served, strategy: SearchStrategy[bytes], tally: Tally, seed: int
) -> tuple[bytes, list[int]] | None:
    """One batch; the smallest request that shows a defect, and its answers."""
    last: tuple[bytes, list[int]] | None = None

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=_EXAMPLES, database=None, deadline=None, print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(strategy)
    def check(request: bytes) -> None:
        nonlocal last
        statuses = send(service.port, request, patience=5)
        last = request, statuses
        tally.statuses.update(statuses)
        assert all(status < 500 or status in _NO_DEFECT for status in statuses)

    try:
        check()
    except AssertionError:
        return last
    return None


def sign_ins(of: Rig, tally: Tally, seconds: float, seed: int) -> None:
    """Flows from the first page to the sign-out; any step may be a hostile one."""
    chance, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        with httpx.Client(base_url=of.keyed.url, headers=_HTML, timeout=60) as browser:
            for address, answer in flow(browser, of, chance):
                tally.note(address, [answer.status_code])


def flow(
    browser: httpx.Client, of: Rig, chance: random.Random
) -> Iterator[tuple[str, httpx.Response]]:
    """One flow, step by step: what was asked, and the answer."""
    provider, odd = chance.choice(("github", "oidc")), chance.choice(WORDS)
    openid: Any = of.asked[1].application
    claims = {"repositories": [NAME], "sub": "1", "azp": CLIENT, "preferred_username": "otto",
              "exp": 2**33, "iat": 1, "nbf": 1, "aud": [CLIENT]}  # fmt: skip
    named = chance.choice(sorted(claims))
    openid.claims = claims | (
        {named: spoilt(claims[named], chance)} if chance.random() < 0.5 else {}
    )
    began = browser.get(f"/sign-in/{provider}", params={"back": odd})
    yield f"{provider}?back={odd}", began
    where = began.headers.get("location", "")
    state = parse_qs(urlsplit(where).query).get("state", [""])[0] if where else ""
    query = {"state": state, "code": odd} if chance.random() < 0.5 else {"state": odd, "code": "a"}
    if where and chance.random() < 0.6:
        answered = httpx.get(where, timeout=60)
        back = urlsplit(answered.headers.get("location", "")).query if answered.is_redirect else ""
        query = {name: texts[0] for name, texts in parse_qs(back).items()} or query
    if chance.random() < 0.2:
        query[chance.choice(("error", "iss", "code", "state"))] = chance.choice(WORDS)
    address = f"/sign-in/{provider}/callback"
    yield f"{address} {query}", browser.get(address, params=query)
    for path in ("/account", "/", f"/pulls/{NAME}/7"):
        yield f"{path} after {address} {query}", browser.get(path)
    page = browser.get("/sign-in")
    yield "/sign-in", page
    yield "/sign-out", browser.post("/sign-out", data={"csrf": csrf_of(page.text) or odd})


def signed_in(service: Served) -> list[str]:
    """Cookies of each kind: of a person, of keys, of a sign-in under way, of nobody."""
    made = []
    for provider in ("github", "oidc"):
        with httpx.Client(base_url=service.url, headers=_HTML, timeout=60) as browser:
            where = browser.get(f"/sign-in/{provider}").headers["location"]
            made.append(cookie_of(browser))
            browser.get(httpx.get(where, timeout=60).headers["location"])
            made.append(cookie_of(browser))
    for key in (KEY, OPERATOR):
        with httpx.Client(base_url=service.url, headers=_HTML, timeout=60) as browser:
            csrf = csrf_of(browser.get("/sign-in").text)
            made.append(cookie_of(browser))
            browser.post("/sign-in/key", data={"csrf": csrf, "key": key})
            made.append(cookie_of(browser))
    return [each for each in reversed(made) if each]


def csrf_tokens(service: Served, cookies: Sequence[str]) -> list[str]:
    """The tokens of these sessions."""
    paths = [(cookie, path) for cookie in cookies for path in ("/account", "/sign-in")]
    found = (
        csrf_of(
            httpx.get(f"{service.url}{path}", headers=_HTML | {"cookie": cookie}, timeout=60).text
        )
        for cookie, path in paths
    )
    return [token for token in found if token]


def cookie_of(browser: httpx.Client) -> str:
    """What the browser would send."""
    return "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)


def csrf_of(page: str) -> str:
    """The token in a page's form; "" without one."""
    _, _, after = page.partition('name="csrf" value="')
    return after.partition('"')[0]
