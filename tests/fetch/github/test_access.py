"""Where tokens come from, and that they never show."""

from pathlib import Path
from typing import Any

import pytest
from rich.pretty import pretty_repr

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.access import Access, access_from

PEM = "-----BEGIN RSA PRIVATE KEY-----\nabc\n"


@pytest.fixture
def no_gh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH with nothing on it, where a test may put its own gh."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put_gh(folder: Path, script: str) -> None:
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_the_setting_comes_before_the_usual_variables(no_gh: Path) -> None:
    usual = {"GITHUB_TOKEN": "second", "GH_TOKEN": "third"}
    assert access_from(token="first", environment=usual).tokens == ("first",)
    assert access_from(environment=usual).tokens == ("second",)
    assert access_from(environment={"GH_TOKEN": "third"}).tokens == ("third",)


def test_the_gh_program_is_asked_last_and_for_the_right_server(no_gh: Path) -> None:
    put_gh(no_gh, '[ "$4" = git.example.com ] && echo from-gh')
    assert access_from(url="https://git.example.com", environment={}).tokens == ("from-gh",)
    assert access_from(environment={}).tokens == ()


def test_a_gh_that_fails_is_no_token(no_gh: Path) -> None:
    put_gh(no_gh, "echo not logged in; exit 1")
    assert access_from(environment={}).tokens == ()


def test_without_anything_there_is_no_token(no_gh: Path) -> None:
    assert access_from(environment={}).tokens == ()


def test_several_tokens_stand_with_commas_between() -> None:
    assert access_from(token="a, b,,c ").tokens == ("a", "b", "c")


def test_an_app_keeps_the_usual_variables_out(tmp_path: Path) -> None:
    found = access_from(
        app_id="1", app_key=PEM, installations="7,8", environment={"GITHUB_TOKEN": "t"}
    )
    assert (found.tokens, found.app_key, found.app_installations) == ((), PEM, (7, 8))
    (tmp_path / "key.pem").write_text(PEM)
    assert access_from(app_id="1", app_key=str(tmp_path / "key.pem")).app_key == PEM


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"app_id": "1"}, "both github_app_id and github_app_key"),
        ({"app_key": PEM}, "both github_app_id and github_app_key"),
        ({"app_id": "1", "app_key": "secret/missing.pem"}, "cannot be read: No such file"),
        ({"app_id": "1", "app_key": PEM, "installations": "x"}, "is not a number"),
        ({"url": "http://example.com"}, "unencrypted"),
    ],
)
def test_settings_that_do_not_fit_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        access_from(**settings)
    assert "secret" not in str(caught.value)


def test_neither_repr_nor_rich_shows_a_secret() -> None:
    access = Access(tokens=("hush",), app_id="1", app_key="hush")
    assert "hush" not in repr(access)
    assert "hush" not in str(access)
    assert "hush" not in pretty_repr(access)


@pytest.mark.parametrize("variable", ["GITHUB_TOKEN", "GH_TOKEN"])
@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("https://git.example.com", {}),
        ("https://git.example.com", {"GITHUB_API_URL": "https://api.github.com"}),
        ("https://git.example.com", {"GITHUB_SERVER_URL": "https://other.example.com"}),
        ("https://github.com", {"GITHUB_API_URL": "https://git.example.com/api/v3"}),
        ("https://github.com.example.com", {}),
        ("https://git.example.com:8443", {"GITHUB_API_URL": "https://git.example.com/api/v3"}),
    ],
)
def test_a_token_is_sent_to_no_other_server_than_its_own(
    no_gh: Path, variable: str, url: str, servers: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match=f"{variable} holds a token for .* not sent to"):
        access_from(url=url, environment={variable: "t", **servers})


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("https://api.github.com", {}),
        ("https://github.com", {"GITHUB_API_URL": "https://api.github.com"}),
        ("https://git.example.com", {"GITHUB_API_URL": "https://git.example.com/api/v3"}),
        ("https://git.example.com", {"GH_HOST": "git.example.com"}),
    ],
)
def test_a_token_is_sent_to_its_own_server(no_gh: Path, url: str, servers: dict[str, str]) -> None:
    assert access_from(url=url, environment={"GITHUB_TOKEN": "t", **servers}).tokens == ("t",)
    given = access_from(url="https://git.example.com", token="t", environment={"GH_TOKEN": "u"})
    assert given.tokens == ("t",)
