"""Digests that nobody tested, or whose proof is of something else: none becomes main."""

import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from delivery.attestations import PROVENANCE, SBOM, TESTED
from delivery.kustomization import with_digest
from delivery.registry import INDEX, Manifest
from delivery.signatures import BUNDLE
from delivery.stages import KUSTOMIZATION, repository
from support.delivery import OWNER, World, good
from support.sigstore import Sigstore

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

FETCH = {"src/pullrisk/fetch/__init__.py": "CHANGED = 1\n"}
Refused = Callable[..., None]


def edit(world: World, digest: str, stage: str = "data-fetch") -> None:
    """Write a digest by hand, past the bot."""
    world.push({KUSTOMIZATION: with_digest(world.shown("staging"), stage, digest)}, "By hand")


def forged(world: World, *, stage: str = "data-fetch", **lies: object) -> None:
    """An image on staging whose attestations are good but for these lies."""
    source = world.branch("staging")
    digest = world.image(stage, tag=source)
    world.attest(stage, digest, source, **lies)  # type: ignore[arg-type]
    assert world.update(stage, digest, source) == 3, "the bot has to refuse it too"
    edit(world, digest, stage)


def test_a_digest_that_was_never_tested_is_refused(world: World, refused: Refused) -> None:
    edit(world, world.image("data-fetch", tag="untested"))
    refused("it was never tested on staging: nothing attests it")


def test_a_digest_that_no_registry_has_is_refused(world: World, refused: Refused) -> None:
    edit(world, "sha256:" + "1" * 64)
    refused("the registry has no such image")


@pytest.mark.parametrize("absent", [PROVENANCE, SBOM, TESTED])
def test_an_image_without_one_of_the_attestations_is_refused(
    world: World, refused: Refused, absent: str
) -> None:
    forged(world, kinds=tuple({PROVENANCE, SBOM, TESTED} - {absent}))
    refused(f"there is no {absent}")


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        ({"result": "FAILED", "failedTests": ["it answers"]}, "did not pass"),
        ({"result": "PASSED", "failedTests": ["it answers"]}, "did not pass"),
        ({"result": "PASSED", "passedTests": ["one"], "configuration": []}, "left out containers"),
        ({"result": "PASSED", "configuration": [{"name": "containers"}]}, "no test"),
    ],
)
def test_an_image_whose_tests_did_not_pass_is_refused(
    world: World, refused: Refused, predicate: dict[str, object], reason: str
) -> None:
    forged(world, predicates={TESTED: predicate})
    refused(reason)


def test_a_service_that_was_not_load_tested_is_refused(world: World, refused: Refused) -> None:
    other = good("data-fetch", "")[TESTED]
    forged(world, stage="model-serving", predicates={TESTED: other})
    refused("left out load")


def test_an_empty_list_of_packages_is_refused(world: World, refused: Refused) -> None:
    forged(world, predicates={SBOM: {"bomFormat": "CycloneDX", "components": []}})
    refused("lists no component")


def test_provenance_of_another_commit_than_its_signers_is_refused(
    world: World, refused: Refused
) -> None:
    forged(world, predicates={PROVENANCE: good("data-fetch", "2" * 40)[PROVENANCE]})
    refused("not its signer's")


def test_an_attestation_made_for_another_digest_is_refused(world: World, refused: Refused) -> None:
    forged(world, text_of="sha256:" + "2" * 64)
    refused("it is signed for")


def test_the_attestations_of_a_tested_image_do_not_serve_another(
    world: World, refused: Refused
) -> None:
    tested = world.release("data-fetch", world.push(FETCH))
    other = world.image("data-fetch", tag="other")
    with world.home("data-fetch") as registry:
        for each in registry.referrers(tested):
            manifest = registry.manifest(each["digest"])
            assert manifest is not None
            bundle = registry.blob(manifest.body["layers"][0]["digest"])
            registry.attach(other, BUNDLE, bundle)
    edit(world, other)
    refused("it is signed for")


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"job_workflow_ref": f"{OWNER}/.github/workflows/ci.yml@refs/heads/staging"}, "SANs"),
        (
            {"workflow_ref": f"{OWNER}/.github/workflows/ml-training.yml@refs/heads/staging"},
            "OIDCBuildConfigURI",
        ),
        (
            {"job_workflow_ref": f"{OWNER}/.github/workflows/stage.yml@refs/heads/feature"},
            "SANs",
        ),
        ({"ref": "refs/heads/feature"}, "OIDCSourceRepositoryRef"),
        ({"ref": "refs/heads/main"}, "OIDCSourceRepositoryRef"),
        ({"repository": "mallory/pullrisk"}, "OIDCSourceRepositoryURI"),
        ({"runner_environment": "self-hosted"}, "OIDCRunnerEnvironment"),
        ({"event_name": "pull_request"}, "0 of 2 policies"),
        ({"iss": "https://issuer.example.com"}, "OIDCIssuerV2"),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_an_attestation_of_any_other_job_is_refused(
    world: World, refused: Refused, lie: dict[str, str], reason: str
) -> None:
    forged(world, job=lie)
    refused(reason)


def test_attestations_of_a_commit_that_staging_lost_are_refused(
    world: World, refused: Refused
) -> None:
    before = world.branch("staging")
    gone = world.push(FETCH)
    digest = world.image("data-fetch", tag=gone)
    world.attest("data-fetch", digest, gone)
    world.force(before)
    world.push(FETCH, "The same again")
    assert world.update("data-fetch", digest, gone) == 3
    edit(world, digest)
    refused("is not in this history")


def test_attestations_of_two_commits_do_not_add_up(world: World, refused: Refused) -> None:
    one = world.push({"docs/one.md": "1"})
    two = world.push({"docs/two.md": "2"})
    digest = world.image("data-fetch", tag="half")
    world.attest("data-fetch", digest, one, kinds=(PROVENANCE, SBOM))
    world.attest("data-fetch", digest, two, kinds=(TESTED,))
    assert world.update("data-fetch", digest, two) == 3
    edit(world, digest)
    refused("there is no")


def test_a_signature_of_somebody_elses_sigstore_is_refused(
    world: World, refused: Refused, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with Sigstore(folder) as other:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in other.job_environment.items():
                patch.setenv(name, value)
            source = world.branch("staging")
            digest = world.image("data-fetch", tag=source)
            world.attest("data-fetch", digest, source, sigstore=other)
        edit(world, digest)
        refused("the signature does not hold")


@pytest.mark.parametrize("part", ["payload", "signature", "certificate", "log"])
def test_a_bundle_changed_after_it_was_signed_is_refused(
    world: World, refused: Refused, part: str
) -> None:
    source = world.branch("staging")
    digest, twin = (world.image("data-fetch", tag=f"{n}") for n in "ab")
    world.attest("data-fetch", digest, source)
    with world.home("data-fetch") as registry:
        for each in registry.referrers(digest):
            manifest = registry.manifest(each["digest"])
            assert manifest is not None
            bundle = json.loads(registry.blob(manifest.body["layers"][0]["digest"]))
            changed = tampered(bundle, part, old=digest[7:], new=twin[7:])
            registry.attach(twin, BUNDLE, json.dumps(changed).encode())
    edit(world, twin)
    refused("the signature does not hold")


def tampered(bundle: dict[str, dict[str, object]], part: str, *, old: str, new: str) -> object:
    """The bundle with its payload made to speak of another digest, and one more part bent."""
    envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
    payload = b64decode(str(envelope["payload"])).replace(old.encode(), new.encode())
    envelope["payload"] = b64encode(payload).decode()
    if part == "signature":
        envelope["signatures"] = [{"sig": b64encode(b"0" * 70).decode()}]
    elif part == "certificate":
        raw = bytearray(b64decode(material["certificate"]["rawBytes"]))  # type: ignore[index]
        raw[-1] ^= 1
        material["certificate"] = {"rawBytes": b64encode(raw).decode()}
    elif part == "log":
        entry = material["tlogEntries"][0]  # type: ignore[index]
        entry["inclusionPromise"] = {"signedEntryTimestamp": b64encode(b"0" * 70).decode()}
    return bundle


def test_an_image_that_was_deleted_from_the_registry_is_refused(
    world: World, refused: Refused
) -> None:
    digest = world.release("data-fetch", world.push(FETCH))
    home = f"{world.registry}/v2/{repository('data-fetch')}"
    assert httpx.delete(f"{home}/manifests/{digest}").status_code == 202
    refused("the registry has no such image")


def test_an_image_that_lost_a_layer_is_refused(world: World, refused: Refused) -> None:
    digest = world.release("data-fetch", world.push(FETCH))
    with world.home("data-fetch") as registry:
        manifest = registry.manifest(digest)
        assert manifest is not None
        layer = manifest.blobs()[-1]
    home = f"{world.registry}/v2/{repository('data-fetch')}"
    assert httpx.delete(f"{home}/blobs/{layer}").status_code == 202
    refused("the registry has lost 1 of its layers")


def test_an_index_in_the_place_of_an_image_is_refused(world: World, refused: Refused) -> None:
    source = world.branch("staging")
    inner = world.image("data-fetch", tag=source)
    listed = [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": inner}]
    with world.home("data-fetch") as registry:
        held = registry.manifest(inner)
        assert held is not None
        listed[0] |= {"size": len(held.data)}  # type: ignore[dict-item]
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        index = Manifest(INDEX, json.dumps(body).encode())
        registry.put_manifest(source, index)
    world.attest("data-fetch", index.digest, source)
    assert world.update("data-fetch", index.digest, source) == 3
    edit(world, index.digest)
    refused("it is not a single image")


def test_a_tag_moved_to_another_image_changes_nothing(world: World) -> None:
    source = world.push(FETCH)
    digest = world.release("data-fetch", source)
    other = world.image("data-fetch", tag=source)  # the same tag, other bytes
    assert world.promote() == 0
    assert digest in world.shown("main")
    assert other not in world.shown("main")


def test_the_digest_of_another_stages_image_is_refused(world: World, refused: Refused) -> None:
    digest = world.release("ml-training", world.push({"src/pullrisk/train/__init__.py": "A = 1"}))
    edit(world, digest, "data-fetch")
    refused("data-fetch: the registry has no such image")


def test_junk_attached_to_a_tested_image_neither_helps_nor_hinders(world: World) -> None:
    digest = world.release("data-fetch", world.push(FETCH))
    with world.home("data-fetch") as registry:
        for text in (b"", b"{}", b"[]", b'{"mediaType": 1}', b"\xff"):
            registry.attach(digest, BUNDLE, text)
        registry.attach(digest, "application/json", b"{}")
    assert world.promote() == 0
    assert world.branch("main") == world.branch("staging")


def test_junk_attached_to_an_untested_image_proves_nothing(world: World, refused: Refused) -> None:
    digest = world.image("data-fetch", tag="junk")
    with world.home("data-fetch") as registry:
        registry.attach(digest, BUNDLE, b"{}")
    edit(world, digest)
    refused("the signature does not hold")


def test_a_flood_of_attachments_is_refused(
    world: World, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.evidence._MOST", 2)
    world.push({"docs/notes.md": "words"})
    refused("things are attached to it, more than 2")
