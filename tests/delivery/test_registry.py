"""The registry's client, with the referrers API and without; Debian's registry if it is here."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.errors import AwayError, InputError, RefusedError
from delivery.registry import MANIFEST, Manifest, Registry, sha256
from support.oci import DebianRegistry, SmallRegistry

TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.fixture(
    params=["with referrers", "without", *(["debian"] if DebianRegistry.installed() else [])]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """With the referrers API and, as Debian's docker-registry, without it."""
    debian, api = request.param == "debian", request.param == "with referrers"
    with DebianRegistry(tmp_path) if debian else SmallRegistry(referrers_api=api) as running:
        yield running.url


@pytest.fixture
def small() -> Iterator[SmallRegistry]:
    with SmallRegistry() as running:
        yield running


def pushed(registry: Registry, tag: str = "one") -> Manifest:
    """A small image."""
    config, layer = b'{"os": "linux"}', tag.encode() * 50
    parts = [{"digest": sha256(each), "size": len(each)} for each in (config, layer)]
    kinds = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar")
    described = [part | {"mediaType": kind} for part, kind in zip(parts, kinds, strict=True)]
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0]}
    made = Manifest(MANIFEST, json.dumps(body | {"layers": described[1:]}).encode())
    for each in (config, layer):
        registry.put_blob(sha256(each), each, len(each))
    registry.put_manifest(tag, made)
    return made


def test_an_image_comes_back_by_digest_and_tag_as_the_same_bytes(url: str) -> None:
    with Registry("pullrisk/data-fetch", base=url) as registry:
        made = pushed(registry)
        assert registry.manifest(made.digest) == made
        assert registry.manifest("one") == made
        assert made.is_image
        assert all(registry.has_blob(each) for each in made.blobs())


def test_what_is_not_there_is_none(url: str) -> None:
    with Registry("pullrisk/data-fetch", base=url) as registry:
        assert registry.manifest("sha256:" + "0" * 64) is None
        assert registry.manifest("none") is None
        assert not registry.has_blob("sha256:" + "0" * 64)
        assert registry.referrers("sha256:" + "0" * 64) == []


def test_what_is_attached_is_found_in_order_and_once(url: str) -> None:
    with Registry("pullrisk/data-fetch", base=url) as registry:
        made = pushed(registry)
        for text in (b"first", b"second", b"second"):
            registry.attach(made.digest, TYPE, text)
        listed = [registry.manifest(each["digest"]) for each in registry.referrers(made.digest)]
        layers = [each.body["layers"][0]["digest"] for each in listed if each]
        assert [registry.blob(each) for each in layers] == [b"first", b"second"]


def test_nothing_is_attached_to_what_is_not_there(url: str) -> None:
    with (
        Registry("pullrisk/data-fetch", base=url) as registry,
        pytest.raises(InputError, match="push the image first"),
    ):
        registry.attach("sha256:" + "0" * 64, TYPE, b"text")


def test_a_registry_that_gives_other_bytes_is_not_believed(small: SmallRegistry) -> None:
    with Registry("pullrisk/data-fetch", base=small.url) as registry:
        made = pushed(registry)
        kind, data = small.manifests[("pullrisk/data-fetch", made.digest)]
        small.manifests[("pullrisk/data-fetch", made.digest)] = (kind, data + b" ")
        with pytest.raises(RefusedError, match="gave other bytes"):
            registry.manifest(made.digest)
        layer = made.blobs()[1]
        small.blobs[layer] = b"other"
        with pytest.raises(RefusedError, match="gave other bytes"):
            registry.blob(layer)


@pytest.mark.parametrize("declared", ["application/vnd.oci.image.index.v1+json", "text/plain"])
def test_a_manifest_that_says_it_is_something_else_is_no_image(declared: str) -> None:
    assert not Manifest(MANIFEST, json.dumps({"mediaType": declared}).encode()).is_image
    assert not Manifest(declared, b"{}").is_image


def test_a_registry_that_does_not_answer_is_away() -> None:
    with (
        Registry("pullrisk/data-fetch", base="http://127.0.0.1:9") as registry,
        pytest.raises(AwayError, match="cannot be reached"),
    ):
        registry.manifest("one")


def test_a_bearer_token_is_fetched_with_what_docker_login_left(
    small: SmallRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.login, small.token = ("user", "of-tests"), "the-token"
    host = small.url.removeprefix("http://")
    known = {"auths": {host: {"auth": base64.b64encode(b"user:of-tests").decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(known))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with Registry("pullrisk/data-fetch", base=small.url) as registry:
        made = pushed(registry)
        registry.attach(made.digest, TYPE, b"text")
        assert len(registry.referrers(made.digest)) == 1


def test_without_a_login_the_refusal_says_what_to_do(
    small: SmallRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.login, small.token = ("user", "of-tests"), "the-token"
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with (
        Registry("pullrisk/data-fetch", base=small.url) as registry,
        pytest.raises(InputError, match="docker login"),
    ):
        registry.manifest("one")


def test_a_file_of_logins_that_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        Registry("pullrisk/data-fetch", base="http://127.0.0.1:9")
