"""Which tests belong to a stage: those of the packages that its image can reach."""

from pathlib import PurePosixPath

from delivery.dockerfile import Dockerfile
from delivery.git import Repository
from delivery.imports import SOURCES
from delivery.inputs import needed, snapshot
from delivery.references import PACKAGE


def unit_tests(repository: Repository, commit: str, stage: str) -> list[str]:
    """Folders and files below tests/ that mirror what the stage runs, and this pipeline's own."""
    now = snapshot(repository, commit)
    text = repository.show(commit, f"images/{stage}.Dockerfile") or ""
    reached = needed(now, Dockerfile.parse(text).command(), stage)
    inside = [PurePosixPath(path).relative_to(f"{SOURCES}{PACKAGE}") for path in reached]
    wanted = {f"tests/{path.parts[0]}" for path in inside if len(path.parts) > 1}
    wanted |= {f"tests/test_{path.stem}.py" for path in inside if len(path.parts) == 1}
    above = {str(parent) for path in now.tree for parent in (PurePosixPath(path).parents)}
    return sorted(path for path in {*wanted, "tests/delivery"} if path in now.tree or path in above)
