"""The sources of a commit's manifests, as a folder that kustomize may render.

They come from Git's blobs themselves: `git archive` and a checkout obey .gitattributes, which may
leave files out, fill in text or run filters. Whatever the judge and Argo CD could read differently,
or could be fetched from elsewhere, is refused, and so is whatever is not understood.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any, Final

from delivery import strict_yaml
from delivery.errors import RefusedError
from delivery.git import Repository

FOLDERS: Final = ("argo-apps/", "tests/performance/")
"""What manifests are made from; a kustomization can name nothing else."""
_FILES: Final = frozenset({"100644", "100755"})
_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*", re.ASCII)
_NAMED_SO: Final = "kustomization.yaml"
# kustomize takes host/owner/name for a repository to clone, also where such a folder exists; a
# folder's name without a dot can be no host.
_FOLDER: Final = re.compile(r"(\.\./)*[a-z0-9-]+(/[a-z0-9-]+)*", re.ASCII)
_FILE: Final = re.compile(
    r"(\.\./)*([a-z0-9-]+/)*[a-z0-9_-]+(\.[a-z0-9_-]+)*\.(yaml|toml|json|env|py|gz)", re.ASCII
)
_KEYS: Final = {
    "apiVersion": str, "kind": str, "namespace": str, "resources": list, "components": list,
    "configurations": list, "generatorOptions": dict, "configMapGenerator": list,
    "replacements": list, "patches": list, "images": list,
}  # fmt: skip
_NO_CHART: Final = "argo-apps/platform/Chart.yaml"
"""bootstrap.sh reads it; no Application does."""
_WITH_IMAGES: Final = "argo-apps/base/kustomization.yaml"
_ENTRY_KEYS: Final = {
    "configMapGenerator": {"name", "namespace", "behavior", "files", "envs", "options"},
    "patches": {"path", "patch", "target", "options"},
    "replacements": {"source", "targets"},
}
_CONFIGURATION_KEYS: Final = {"images"}


def write_sources(repository: Repository, commit: str, folder: Path) -> None:
    """Write the commit's manifests and what they are made from below the folder.

    Raises RefusedError for what must not be rendered.
    """
    tree = repository.tree(commit)
    for path in tree:
        _check_attributes(path)
    own = {path: tree[path].split() for path in tree if path.startswith(FOLDERS)}
    for path, (mode, _) in own.items():
        _check_entry(path, mode)
    blobs = repository.blobs(blob for _, blob in own.values())
    for path, (_, blob) in own.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(blobs[blob])
    for path in own:
        if PurePosixPath(path).name == _NAMED_SO:
            _check_kustomization(path, folder)


def load_tests(repository: Repository, commit: str) -> frozenset[str]:
    """The commit's Python files in tests/performance: manifests bring them as they are."""
    tree = repository.tree(commit, "tests/performance/")
    blobs = repository.blobs(tree[path].split()[1] for path in tree if path.endswith(".py"))
    return frozenset(each.decode(errors="replace") for each in blobs.values())


def shown(path: str) -> str:
    """A path of Git as one line of text: what is no UTF-8, or cannot be printed, is escaped."""
    text = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _check_attributes(path: str) -> None:
    """A checkout, which Argo CD makes, would read these; nothing else here does."""
    name, parent = PurePosixPath(path).name, path.rpartition("/")[0] + "/"
    governs = parent == "/" or any(
        each.startswith(parent) or parent.startswith(each) for each in FOLDERS
    )
    if name in {".gitattributes", ".gitmodules"} and governs:
        raise RefusedError(f"{shown(path)} changes what a checkout of the manifests has")


def _check_entry(path: str, mode: str) -> None:
    if mode not in _FILES:
        raise RefusedError(f"{shown(path)} is no plain file but a link or a submodule")
    if not _PATH.fullmatch(path):
        raise RefusedError(f"{shown(path)} is a name that the judge does not read")
    # A folder's name counts as a file's does to who walks over all of them, as Argo CD does.
    *folders, name = PurePosixPath(path).parts
    for part in folders if name == _NAMED_SO else (*folders, name):
        if part.lower() in {_NAMED_SO, "kustomization.yml", "kustomization"}:
            raise RefusedError(f"{path}: kustomize would read it, too; name it {_NAMED_SO}")
        # By the end of a name: Argo CD then renders the folder with helm, whatever else is in it.
        if part.lower().endswith("chart.yaml") and path != _NO_CHART:
            raise RefusedError(f"{path}: Argo CD would take its folder for a chart")


def _check_kustomization(path: str, folder: Path) -> None:
    """Known keys only, and plain relative paths of files and folders of the commit."""
    content = strict_yaml.load((folder / path).read_bytes(), path) or {}
    if not isinstance(content, dict):
        raise RefusedError(f"{path} is no mapping")
    for key, value in content.items():
        if key not in _KEYS or (key == "images" and path != _WITH_IMAGES):
            raise RefusedError(f"{path} uses {key}")
        if not isinstance(value, _KEYS[key]):
            raise RefusedError(f"{path}: {key} is {type(value).__name__}")
    for key, keys in _ENTRY_KEYS.items():
        _check_entries(content.get(key, []), keys, path)
    _Place(path, folder).check(content)


def _check_entries(entries: list[Any], keys: set[str], path: str) -> None:
    for entry in entries:
        if not isinstance(entry, dict):
            raise RefusedError(f"{path} has {entry!r}, which is no mapping")
        if more := sorted(set(entry) - keys):
            raise RefusedError(f"{path} uses {more[0]}")


class _Place:
    """Where a kustomization lies, for the paths that it names."""

    def __init__(self, path: str, folder: Path) -> None:
        self._path, self._folder = path, folder
        self._parent = (folder / path).parent

    def check(self, content: dict[str, Any]) -> None:
        """Raises RefusedError for a path that is not a plain one of a file or folder here."""
        for entry in content.get("resources", []):
            is_file = isinstance(entry, str) and entry.endswith(".yaml")
            self._check_file(entry) if is_file else self._check_folder(entry)
        for entry in content.get("components", []):
            self._check_folder(entry)
        for entry in content.get("configurations", []):
            self._check_file(entry)
            own = strict_yaml.load((self._parent / entry).read_bytes(), entry)
            _check_entries([own], _CONFIGURATION_KEYS, entry)
        for generator in content.get("configMapGenerator", []):
            for entry in [*generator.get("files", []), *generator.get("envs", [])]:
                self._check_file(entry)
        for patch in content.get("patches", []):
            if "path" in patch:
                self._check_file(patch["path"])

    def _check_folder(self, entry: object) -> None:
        target = self._target(entry, _FOLDER)
        if not (target / _NAMED_SO).is_file():
            raise self._refused(entry)

    def _check_file(self, entry: object) -> None:
        if not self._target(entry, _FILE).is_file():
            raise self._refused(entry)

    def _target(self, entry: object, pattern: re.Pattern[str]) -> Path:
        if not isinstance(entry, str) or not pattern.fullmatch(entry):
            raise self._refused(entry)
        target = (self._parent / entry).resolve()
        if not target.is_relative_to(self._folder):
            raise self._refused(entry)
        return target

    def _refused(self, entry: object) -> RefusedError:
        return RefusedError(
            f"{self._path} names {entry}, which is not in the commit",
            hint="plain relative paths of files and folders of argo-apps and tests/performance",
        )
