"""What may be signed of an image: its tests passed, its packages are those in its layers."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from delivery.attestations import LOAD
from delivery.cli import main
from delivery.errors import InputError, RefusedError
from delivery.results import result
from delivery.sbom import bill_of_materials

NUMPY = b"Metadata-Version: 2.1\nName: NumPy\nVersion: 2.4.6\n\nwords\n"
DPKG = b"""Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u14
Architecture: amd64

Package: gone
Status: deinstall ok not-installed
Version: 1
"""


def report(folder: Path, inner: str) -> Path:
    path = folder / "containers.xml"
    path.write_text(f"<testsuites><testsuite>{inner}</testsuite></testsuites>")
    return path


def test_passed_tests_are_named_and_their_report_is_fingerprinted(tmp_path: Path) -> None:
    path = report(tmp_path, '<testcase classname="c" name="n"/>')
    found = result("data-fetch", {"containers": path})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["result"] == "PASSED"
    assert found["passedTests"] == ["containers: c::n"]
    assert found["configuration"] == [{"name": "containers", "digest": {"sha256": digest}}]


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ('<testcase name="a"/><testcase name="b"><failure/></testcase>', "b failed"),
        ('<testcase name="a"><error/></testcase>', "a failed"),
        ('<testcase name="a"><skipped/></testcase>', "no test ran"),
        ("", "no test ran"),
    ],
)
def test_a_failed_or_an_empty_report_is_signed_by_nobody(
    tmp_path: Path, inner: str, reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        result("data-fetch", {"containers": report(tmp_path, inner)})


def test_the_service_needs_locusts_figures_too(tmp_path: Path) -> None:
    path = report(tmp_path, '<testcase name="a"/>')
    with pytest.raises(RefusedError, match="no load test ran"):
        result("model-serving", {"containers": path})
    load = tmp_path / "load.json"
    load.write_text(json.dumps({"requests": 900, "missed": ["p99"]}))
    with pytest.raises(RefusedError, match="p99"):
        result("model-serving", {"containers": path, LOAD: load})
    load.write_text(json.dumps({"requests": 900, "missed": []}))
    found = result("model-serving", {"containers": path, LOAD: load})
    assert found["passedTests"][-1] == "load: 900 requests"


def test_a_load_test_among_the_containers_tests_counts_where_it_passed(tmp_path: Path) -> None:
    passed = '<testcase classname="c" name="test_the_service_passes_locust"/>'
    found = result("model-serving", {"containers": report(tmp_path, passed)})
    assert found["passedTests"][-1] == "load: c::test_the_service_passes_locust"
    other = '<testcase name="a"/><testcase name="test_locust"><skipped/></testcase>'
    with pytest.raises(RefusedError, match="no load test ran"):
        result("model-serving", {"containers": report(tmp_path, other)})
    with pytest.raises(RefusedError, match="no report of its containers"):
        result("model-serving", {})


def test_what_is_no_report_is_an_error_and_not_a_pass(tmp_path: Path) -> None:
    path = tmp_path / "containers.xml"
    with pytest.raises(InputError, match="is not a JUnit report"):
        result("data-fetch", {"containers": path})
    path.write_text("<")
    with pytest.raises(InputError, match="is not a JUnit report"):
        result("data-fetch", {"containers": path})


def layer(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return data.getvalue()


def archive(folder: Path, *layers: dict[str, bytes]) -> Path:
    """What `podman save` writes."""
    config = b'{"architecture": "amd64"}'
    names = [f"{place}/layer.tar" for place in range(len(layers))]
    listed = [{"Config": "config.json", "RepoTags": ["a:b"], "Layers": names}]
    files = dict(zip(names, map(layer, layers), strict=True))
    files |= {"config.json": config, "manifest.json": json.dumps(listed).encode()}
    path = folder / "image.tar"
    path.write_bytes(layer(files))
    return path


def test_packages_are_those_that_the_container_sees(tmp_path: Path) -> None:
    path = archive(
        tmp_path,
        {"var/lib/dpkg/status": DPKG, "app/old-1.dist-info/METADATA": b"Name: old\nVersion: 1\n"},
        {"app/.wh.old-1.dist-info": b"", "./app/numpy-2.4.6.dist-info/METADATA": NUMPY},
        {"var/lib/dpkg/status.d/tzdata": b"Package: tzdata\nVersion: 2026a\nArchitecture: all\n"},
    )
    found = bill_of_materials(path, "image")
    assert [each["purl"] for each in found["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64",
        "pkg:deb/debian/tzdata@2026a?arch=all",
        "pkg:pypi/numpy@2.4.6",
    ]
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")


def test_a_folder_emptied_by_a_later_layer_holds_nothing(tmp_path: Path) -> None:
    path = archive(
        tmp_path,
        {"app/numpy-2.4.6.dist-info/METADATA": NUMPY},
        {"app/.wh..wh..opq": b""},
    )
    with pytest.raises(InputError, match="holds no package"):
        bill_of_materials(path, "image")


def test_what_is_no_archive_of_an_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(layer({"a": b"b"}))
    with pytest.raises(InputError, match="is not an archive of one image"):
        bill_of_materials(path, "image")


def test_the_commands_write_what_is_signed(tmp_path: Path) -> None:
    image = archive(tmp_path, {"app/numpy-2.4.6.dist-info/METADATA": NUMPY})
    sbom, tested = tmp_path / "sbom.json", tmp_path / "tested.json"
    stage = ["--stage", "data-fetch"]
    assert main(["sbom", *stage, "--archive", str(image), "--to", str(sbom)]) == 0
    assert json.loads(sbom.read_text())["components"][0]["name"] == "NumPy"
    path = report(tmp_path, '<testcase classname="c" name="n"/>')
    assert main(["result", *stage, "--containers", str(path), "--to", str(tested)]) == 0
    assert json.loads(tested.read_text())["result"] == "PASSED"
