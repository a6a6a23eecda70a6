"""GitHub Apps: proofs, installations, tokens that are renewed."""

import asyncio
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_github.accounts import Account
from fake_github.inside import URL, Inside
from fake_github.world import load_sample
from pullrisk.errors import SettingsError
from pullrisk.fetch.github.credentials import App, Installation
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.publish.api import Api
from support.github import GitHub, expected, stored

KEDRO = "kedro-org/kedro"


@pytest.fixture(scope="module")
def keys() -> tuple[str, bytes]:
    """A private key and its public one, PEM."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode(), public


@pytest.fixture
def app(github: GitHub, keys: tuple[str, bytes]) -> dict[str, Any]:
    """Access as an App with two installations and without a token."""
    # The App's proof is judged by the real clock.
    github.world.clock = None
    github.accounts.app_key = keys[1]
    github.accounts.app_installations = (11, 22)
    return {"tokens": (), "app_id": github.accounts.app_id, "app_key": keys[0]}


def test_an_app_reads_through_its_installations(github: GitHub, app: dict[str, Any]) -> None:
    repository = load_sample(github.world, KEDRO, first=120)
    assert not github.fetch(KEDRO, access=app).failed
    assert stored(github.store, KEDRO) == expected(repository)
    assert github.accounts.granted == 2


def test_only_the_installations_that_are_named_are_used(
    github: GitHub, app: dict[str, Any]
) -> None:
    load_sample(github.world, KEDRO, first=60)
    github.fetch(KEDRO, access={**app, "app_installations": (22,)})
    assert github.accounts.granted == 1


def test_an_app_and_a_token_stand_together(github: GitHub, app: dict[str, Any]) -> None:
    repository = load_sample(github.world, KEDRO, first=200)
    github.accounts.tokens["poor"] = Account(limit=5)
    github.fetch(KEDRO, access={**app, "tokens": ("poor",)})
    assert stored(github.store, KEDRO) == expected(repository)


def test_a_token_that_ends_in_the_middle_is_renewed(github: GitHub, app: dict[str, Any]) -> None:
    repository = load_sample(github.world, KEDRO, first=200)

    def revoke(requests: int) -> None:
        if requests in (3, 5):
            for secret in [each for each in github.accounts.tokens if each.startswith("ghs_")]:
                del github.accounts.tokens[secret]

    github.app.on_request = revoke
    assert not github.fetch(KEDRO, access={**app, "app_installations": (11,)}).failed
    assert stored(github.store, KEDRO) == expected(repository)
    assert github.accounts.granted == 3


class AtOnce(Inside):
    """Answers no refused call before each of the two was refused."""

    refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self.refused += 1
            while self.refused < 2:
                await asyncio.sleep(0)
        return response


def test_calls_that_were_refused_with_the_same_token_all_get_a_new_one(
    github: GitHub, app: dict[str, Any]
) -> None:
    async def ask() -> None:
        async with httpx.AsyncClient(transport=AtOnce(github.app)) as http:
            there = endpoint(URL)
            owner = App(app["app_id"], app["app_key"], rest=there.rest)
            api = Api(http, there, Installation(owner, 11))
            path = "/installation/repositories"
            await api.get(path, dict[str, Any])
            for secret in [each for each in github.accounts.tokens if each.startswith("ghs_")]:
                del github.accounts.tokens[secret]
            await asyncio.gather(*(api.get(path, dict[str, Any]) for _ in range(2)))

    asyncio.run(ask())


def test_a_token_near_its_end_is_renewed_before_it_is_refused(
    github: GitHub, app: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_sample(github.world, KEDRO, first=60)
    monkeypatch.setattr("fake_github.accounts.HOUR", 200)
    github.fetch(KEDRO, access={**app, "app_installations": (11,)})
    assert github.accounts.granted == github.app.requests.total()


def test_a_key_of_another_app_is_refused_without_showing_it(
    github: GitHub, app: dict[str, Any], keys: tuple[str, bytes]
) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    github.accounts.app_key = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(SettingsError, match="GitHub refuses App 4711") as caught:
        github.fetch(KEDRO, access=app)
    assert keys[0].splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("key", ["no key", "-----BEGIN RSA PRIVATE KEY-----\nx\n"])
def test_what_is_no_private_key_is_told_without_showing_it(
    github: GitHub, app: dict[str, Any], key: str
) -> None:
    with pytest.raises(SettingsError, match="github_app_key is not an RSA private key") as caught:
        github.fetch(KEDRO, access={**app, "app_key": key})
    assert key not in str(caught.value)


def test_an_installation_that_is_gone_leaves_no_credential(
    github: GitHub, app: dict[str, Any]
) -> None:
    load_sample(github.world, KEDRO, first=6)
    with pytest.raises(SettingsError, match="installation 99 of App 4711"):
        github.fetch(KEDRO, access={**app, "app_installations": (99,)})
