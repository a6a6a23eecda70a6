"""Signed statements about an image: where it comes from, what is in it, that it was tested."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from delivery.errors import InputError, RefusedError
from delivery.stages import LOAD_TESTED, image_name

PROVENANCE: Final = "https://slsa.dev/provenance/v1"
"""SLSA's, made by actions/attest-build-provenance."""
SBOM: Final = "https://cyclonedx.org/bom"
"""CycloneDX, of the packages inside the image."""
TESTED: Final = "https://in-toto.io/attestation/test-result/v0.1"
"""in-toto's test result, made after the built image passed its container tests."""
REQUIRED: Final = (PROVENANCE, SBOM, TESTED)
CONTAINERS: Final = "containers"
LOAD: Final = "load"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True)
class Signed:
    """A verified attestation: its statement, and the commit that the signer's workflow ran on."""

    predicate_type: str
    subject: str
    digest: str
    source: str
    predicate: Mapping[str, Any]


def suites(stage: str) -> tuple[str, ...]:
    """The suites of tests that an image of the stage has to pass."""
    return (CONTAINERS, LOAD) if stage in LOAD_TESTED else (CONTAINERS,)


def statement(stage: str, digest: str, predicate_type: str, predicate: object) -> dict[str, Any]:
    """An in-toto statement on one image."""
    subject = {"name": image_name(stage), "digest": {"sha256": digest.removeprefix("sha256:")}}
    return {
        "_type": _STATEMENT,
        "subject": [subject],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def signed(found: Mapping[str, Any], source: str) -> Signed:
    """Parse a verified statement. Raises RefusedError if it is not on one image."""
    try:
        (subject,) = found["subject"]
        digest = f"sha256:{subject['digest']['sha256']}"
        kind, predicate = str(found["predicateType"]), found["predicate"]
        if found["_type"] != _STATEMENT or not isinstance(predicate, Mapping):
            raise ValueError(found["_type"])
        return Signed(kind, str(subject["name"]), digest, source, predicate)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"the statement is not one of in-toto on one image: {error}") from None


def check(stage: str, digest: str, each: Signed) -> None:
    """Check what the signed statement says. Raises RefusedError if it says anything else."""
    if each.subject != image_name(stage) or each.digest != digest:
        raise RefusedError(f"it is signed for {each.subject}@{each.digest[:19]}")
    checks = {PROVENANCE: _provenance, SBOM: _sbom, TESTED: _tested}
    checks[each.predicate_type](stage, each)


def _provenance(stage: str, each: Signed) -> None:
    built = each.predicate.get("buildDefinition", {}).get("resolvedDependencies", [])
    commits = {str(one.get("digest", {}).get("gitCommit")) for one in built}
    if each.source not in commits:
        raise RefusedError(f"the provenance of {stage} names {sorted(commits)}, not its signer's")


def _sbom(stage: str, each: Signed) -> None:
    if each.predicate.get("bomFormat") != "CycloneDX" or not each.predicate.get("components"):
        raise RefusedError(f"the SBOM of {stage} lists no component")


def _tested(stage: str, each: Signed) -> None:
    said = each.predicate
    if said.get("result") != "PASSED" or said.get("failedTests"):
        raise RefusedError(f"the tests of {stage} did not pass: {said.get('failedTests')}")
    ran = {str(one.get("name")) for one in said.get("configuration", [])}
    if absent := [name for name in suites(stage) if name not in ran]:
        raise RefusedError(f"the tests of {stage} left out {', '.join(absent)}")
    if not said.get("passedTests"):
        raise RefusedError(f"no test of {stage} is named")


def tested(passed: Mapping[str, Iterable[str]], evidence: Mapping[str, str]) -> dict[str, Any]:
    """The predicate of a passed test: suite → names of tests, suite → sha256 of its report."""
    names = [f"{suite}: {name}" for suite, tests in passed.items() for name in tests]
    if not names or set(passed) != set(evidence):
        raise InputError("a test result needs tests and a report of each suite")
    configuration = [{"name": name, "digest": {"sha256": evidence[name]}} for name in passed]
    return {
        "result": "PASSED",
        "configuration": configuration,
        "passedTests": names,
        "failedTests": [],
    }
