"""Each page as a browser without scripts gets it."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from support.dashboard import HOSTILE, PUBLISHED, TITLES, open_numbers

KEDRO = "kedro-org/kedro"
FIRST = open_numbers()[0]
PAGES = (
    "/",
    f"/pulls/{KEDRO}/{FIRST}",
    "/repositories",
    f"/repositories/{KEDRO}",
    "/models",
    "/operations",
)


class Text(HTMLParser):
    """The text of a page, its elements, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def titles(page: str) -> list[str]:
    return re.findall(r"<h2><a href=\"[^\"]*\"><bdi>(.*?)</bdi>", page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_nothing_from_elsewhere_and_run_nothing_inline(
    client: httpx.Client, path: str
) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Text(answer.text)
    names = {name for name, _ in page.attributes}
    assert not names & {"style", "onclick", "onload", "hx-on"}
    assert "style" not in page.tags
    loaded = [value for name, value in page.attributes if name == "src"]
    assert all(value and value.startswith("/static/") for value in loaded)


@pytest.mark.parametrize(
    "path", ["/", f"/pulls/{KEDRO}/{open_numbers()[1]}", f"/repositories/{KEDRO}"]
)
def test_what_strangers_wrote_is_text(client: httpx.Client, path: str) -> None:
    page = client.get(path).text
    shown = Text(page)
    assert HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}") in shown.text
    assert shown.tags.count("script") == 1
    assert "\u202e" not in page
    assert not any((value or "").startswith("javascript:") for _, value in shown.attributes)


def test_a_merged_pull_says_as_of_when_it_is_told(client: httpx.Client) -> None:
    page = client.get("/", params={"shown": "merged"}).text
    (path, *_) = re.findall(rf'href="(/pulls/{KEDRO}/\d+)"', page)
    merged = Text(client.get(path).text).text
    assert re.search(r"Told as of its merge on 20\d\d-\d\d-\d\d\.", merged)
    now = Text(client.get(f"/pulls/{KEDRO}/{FIRST}").text).text
    assert "Told as of" not in now


def test_the_riskiest_comes_first_with_what_a_reviewer_asks(client: httpx.Client) -> None:
    page = client.get("/", params={"shown": "open"}).text
    text = Text(page).text
    assert sorted(titles(page)) == sorted(map(_escaped, TITLES))
    assert "3 pulls" in text
    assert "opened" in text
    assert "Checks failure" in text
    risks = [float(each) for each in re.findall(r"<b>([\d.]+) %</b>", page)]
    assert risks == sorted(risks, reverse=True)


def _escaped(title: str) -> str:
    shown = title.replace("\u202e", "\N{REPLACEMENT CHARACTER}")
    for plain, safe in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&#34;"),
        ("'", "&#39;"),
    ):
        shown = shown.replace(plain, safe)
    return shown


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"shown": "all"}, PUBLISHED),
        ({"shown": "merged"}, PUBLISHED - len(TITLES)),
        ({"shown": "closed"}, 0),
        ({"shown": "open", "text": "RUNNER"}, 1),
        ({"shown": "open", "label": "<b>"}, 3),
        ({"shown": "open", "label": "b"}, 0),
        ({"shown": "all", "repository": KEDRO}, PUBLISHED),
        ({"shown": "all", "repository": "no/such"}, 0),
        ({"shown": "all", "author": "nobody"}, 0),
        ({"shown": "all", "path": "KEDRO/"}, None),
        ({"shown": "all", "band": "low"}, None),
        ({"shown": "nonsense", "page": "-1", "sort": "x", "other": "1"}, None),
    ],
)
def test_each_filter_narrows_the_list(
    client: httpx.Client, query: dict[str, str], count: int | None
) -> None:
    answer = client.get("/", params=query)
    assert answer.status_code == 200
    found = re.search(r"role=\"status\">([\d,]+) pull", answer.text)
    shown = int(found[1]) if found else 0
    if count is None:
        assert 0 < shown < PUBLISHED
    else:
        assert shown == count


def test_a_form_with_empty_fields_leads_to_the_shortest_address(client: httpx.Client) -> None:
    answer = client.get("/?shown=open&repository=&band=&text=a+b&sort=&author=")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?shown=open&text=a+b"


def test_pages_of_the_list_follow_each_other(client: httpx.Client) -> None:
    first = client.get("/?shown=all&sort=created").text
    found = re.search(r'rel="next" href="([^"]+)"', first)
    assert found is not None
    second = client.get(found[1].replace("&amp;", "&")).text
    assert 'rel="prev"' in second
    assert len(titles(first)) + len(titles(second)) == PUBLISHED


def test_an_open_page_is_told_only_what_has_changed(client: httpx.Client) -> None:
    page = client.get("/?shown=open").text
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    address = found[1].replace("&amp;", "&")
    assert client.get(address).status_code == 204
    again = client.get(re.sub("seen=.*", "seen=other", address))
    assert again.status_code == 200
    assert titles(again.text) == titles(page)


def test_a_pull_is_told_with_its_brief_its_files_and_its_scores(client: httpx.Client) -> None:
    text = Text(client.get(f"/pulls/{KEDRO}/{FIRST}").text).text
    for words in ("Rework the runner", "riskier than", "Files", "How the score moved", "abababab"):
        assert words in text


def test_a_repository_is_told_with_its_figures_its_hot_files_and_what_is_open(
    client: httpx.Client,
) -> None:
    page = Text(client.get(f"/repositories/{KEDRO}").text)
    for words in ("Changes in a year", "kedro/", "Open, riskiest first", "Rework the runner"):
        assert words in page.text
    assert page.tags.count("svg") >= 1


def test_repositories_lead_to_their_open_pulls_by_band(client: httpx.Client) -> None:
    page = client.get("/repositories").text
    assert f'href="/repositories/{KEDRO}"' in page
    bands = client.get(f"/?shown=open&repository={KEDRO}").text
    for band in ("high", "elevated"):
        shown = bands.count(f'<span class="chip {band}">')
        assert (f"band={band}" in page) == (shown > 0)


def test_the_model_is_told_with_its_registry_drift_and_what_people_say(
    client: httpx.Client,
) -> None:
    text = Text(client.get("/models").text).text
    for words in ("Learnt from", "No version is registered", KEDRO, "/pullrisk wrong"):
        assert words in text


def test_operations_tell_health_versions_and_freshness(client: httpx.Client) -> None:
    text = Text(client.get("/operations").text).text
    for words in ("Ready", "onnxruntime", "No GitHub App is set up", "Last update stored"):
        assert words in text


@pytest.mark.parametrize(
    "path",
    [f"/pulls/{KEDRO}/99999999", "/repositories/no/such", f"/pulls/{KEDRO}/x", "/static/none"],
)
def test_what_is_not_there_is_said_so(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_what_pages_load_may_be_kept_for_ever(client: httpx.Client) -> None:
    page = client.get("/").text
    files = re.findall(r'"(/static/[^"]+)"', page)
    assert len(files) == 3
    for file in files:
        answer = client.get(file)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_the_first_page_and_all_that_it_loads_is_small(client: httpx.Client) -> None:
    page = client.get("/?shown=all")
    files = re.findall(r'"(/static/[^"]+)"', page.text)
    assert len(page.content) + sum(len(client.get(file).content) for file in files) <= 150_000
