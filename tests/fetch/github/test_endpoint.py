"""Where a GitHub is, from what people write."""

import pytest

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.endpoint import endpoint


@pytest.mark.parametrize("url", ["https://github.com", "github.com/", "https://api.github.com"])
def test_githubs_own_address(url: str) -> None:
    found = endpoint(url)
    assert found.graphql == "https://api.github.com/graphql"
    assert (found.rest, found.host) == ("https://api.github.com", "github.com")


@pytest.mark.parametrize(
    "url",
    ["https://git.example.com", "git.example.com/", "https://git.example.com/api/v3",
     "https://GIT.example.com/api/graphql"],
)  # fmt: skip
def test_a_companys_own_server(url: str) -> None:
    found = endpoint(url)
    assert found.graphql == "https://git.example.com/api/graphql"
    assert (found.rest, found.host) == ("https://git.example.com/api/v3", "git.example.com")


@pytest.mark.parametrize("url", ["https://acme.ghe.com", "https://api.acme.ghe.com"])
def test_a_company_in_githubs_cloud_with_its_own_address(url: str) -> None:
    assert endpoint(url).graphql == "https://api.acme.ghe.com/graphql"
    assert endpoint(url).host == "acme.ghe.com"


def test_a_stand_in_on_this_machine_needs_no_encryption() -> None:
    assert endpoint("http://127.0.0.1:8765").graphql == "http://127.0.0.1:8765/api/graphql"
    assert endpoint("http://[::1]:8765").host == "[::1]:8765"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://git.example.com", "unencrypted"),
        ("https://user:hunter2@git.example.com", "user name or password"),
        ("https://git.example.com/some/where", "no address"),
        ("https://git.example.com:port", "no address"),
        ("https://[git", "no address"),
        ("ftp://git.example.com", "only https"),
        ("", "no address"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_a_password(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        endpoint(url)
    assert "hunter2" not in str(caught.value)
