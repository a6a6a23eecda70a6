"""All rules together."""

from collections.abc import Sequence

from support.deploy import (
    argo_cd,
    claims,
    defaults,
    network,
    program,
    references,
    rollout,
    schema,
    security,
    vault,
)
from support.deploy.manifests import Object, Violation


def violations(objects: Sequence[Object], *, schemas: bool = True) -> list[Violation]:
    """Everything that any rule holds against these objects."""
    modules = (
        references, security, claims, vault, program, network, rollout, argo_cd, defaults,
    )  # fmt: skip
    found = [one for module in modules for one in module.check(objects)]
    return [*found, *schema.check(objects)] if schemas else found
