import pytest

from pullrisk.pulls.file_kinds import KINDS, path_facts


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("vendor/github.com/x/y_test.go", "vendored"),
        ("web/node_modules/a/package.json", "vendored"),
        ("go.mod", "dependency"),
        ("services/api/Cargo.lock", "dependency"),
        ("requirements-dev.txt", "dependency"),
        (".github/workflows/ci.yml", "ci"),
        ("docker/Dockerfile", "ci"),
        ("tests/data/a.json", "test"),
        ("pkg/server/server_test.go", "test"),
        ("src/button.spec.tsx", "test"),
        ("src/main/java/org/x/FooTest.java", "test"),
        ("core/src/OffsetTests.scala", "test"),
        ("conftest.py", "test"),
        ("README.md", "docs"),
        ("docs/conf.py", "docs"),
        (".editorconfig", "config"),
        ("deploy/values.yaml", "config"),
        ("src/app.py", "source"),
        ("lib/latest.rb", "source"),
        ("src/contest.go", "source"),
        ("logo.png", "other"),
        ("LICENSE", "other"),
    ],
)
def test_a_path_has_the_kind_that_a_reader_would_name(path: str, kind: str) -> None:
    assert KINDS[path_facts(path).kind] == kind


def test_a_path_is_split_into_directory_top_and_extension() -> None:
    facts = path_facts("Src/core/Engine.test.PY")

    assert (facts.directory, facts.top, facts.extension) == ("Src/core", "src", "py")


@pytest.mark.parametrize(
    "path", ["", "/", "a/", ".", "..", ".env", "a.", "\n", "ü/ß.ç", "x" * 5000]
)
def test_strange_paths_have_facts_too(path: str) -> None:
    assert 0 <= path_facts(path).kind < len(KINDS)
