"""What must never be deployed, each refused by the rule that is there for it."""

from pathlib import Path

import pytest

from support.deploy import rules, schema
from support.deploy.manifests import APPS, Object, render
from support.deploy.refused import FOLDER, read

FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module")
def all_objects(base: list[Object]) -> list[Object]:
    """The base, and the Application that leads to it."""
    return [*base, *render(APPS / "clusters" / "staging")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_wrong_manifest_is_refused_by_the_right_rule(
    path: Path, all_objects: list[Object]
) -> None:
    wrong = read(path)
    if wrong.rule == "schema" and not schema.have_definitions():
        pytest.skip("no definitions of Argo: ../shared/schemas/argo")
    found = rules.violations(wrong.applied(all_objects), schemas=wrong.rule == "schema")
    assert found
    told = [one for one in found if one.rule == wrong.rule and wrong.says in one.why]
    assert told, [f"{one.rule}: {one.why}" for one in found]


def test_every_rule_refuses_something() -> None:
    rules_used = {read(path).rule for path in FILES}
    assert rules_used >= {
        *("schema", "names", "images", "services", "accounts", "config_maps", "scaling"),
        *("analyses", "security", "vault", "arguments", "environment", "settings", "network"),
        *("batch", "rollout", "analysis", "mounts", "argo_cd", "defaults", "claims"),
    }
