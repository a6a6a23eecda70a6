"""What the judge renders is what Argo CD gets from a checkout, or it is refused."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.errors import DeliveryError, RefusedError
from delivery.git import Repository
from delivery.promotion import attention
from delivery.render import rendered
from delivery.stages import KUSTOMIZATION
from support.project import project

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

BASE = "argo-apps/base"
Tree = dict[str, tuple[str, bytes]]
"""Path → mode and content; of a link, where it leads; of a submodule, a commit's id."""


def good() -> Tree:
    return {path: ("100644", text.encode()) for path, text in project().items()}


class Trees:
    """A bare repository that takes any tree, also such as no checkout would make."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "trees.git"
        subprocess.run(["git", "init", "-q", "--bare", str(self.path)], check=True)
        self.repository = Repository(self.path)

    def commit(self, tree: Tree) -> str:
        parts = [b"commit refs/heads/made\ncommitter a <a@b.invalid> 1 +0000\ndata 0\ndeleteall\n"]
        for path, (mode, content) in tree.items():
            name = b'"' + path.encode(errors="surrogateescape").replace(b'"', b'\\"') + b'"'
            if mode == "160000":
                parts.append(b"M 160000 " + content + b" " + name + b"\n")
                continue
            parts.append(f"M {mode} inline ".encode() + name + b"\n")
            parts.append(f"data {len(content)}\n".encode() + content + b"\n")
        self._git("fast-import", "--quiet", "--force", data=b"".join(parts))
        return self._git("rev-parse", "refs/heads/made").decode().strip()

    def checkout(self, commit: str, folder: Path) -> Path:
        folder.mkdir()
        self._git(f"--work-tree={folder}", "checkout", "-q", "-f", commit, "--", ".")
        return folder

    def _git(self, *arguments: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], input=data, capture_output=True, check=True
        )
        return done.stdout


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


def edited(path: str, old: str, new: str) -> Callable[[Tree], Tree]:
    def edit(tree: Tree) -> Tree:
        mode, content = tree[path]
        assert old.encode() in content
        return tree | {path: (mode, content.replace(old.encode(), new.encode(), 1))}

    return edit


def with_files(**files: str) -> Callable[[Tree], Tree]:
    return lambda tree: tree | {path: ("100644", text.encode()) for path, text in files.items()}


def also(resource: str, *more: Callable[[Tree], Tree]) -> Callable[[Tree], Tree]:
    """The base names one resource more."""

    def edit(tree: Tree) -> Tree:
        for each in (edited(KUSTOMIZATION, "resources:\n", f"resources:\n  - {resource}\n"), *more):
            tree = each(tree)
        return tree

    return edit


ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: more\n"
SUBMODULE = "1" * 40
HOSTILE: Mapping[str, tuple[Callable[[Tree], Tree], str]] = {
    "attributes that leave a file out": (
        with_files(**{".gitattributes": f"{BASE}/*.yaml export-ignore\n"}),
        ".gitattributes changes what a checkout",
    ),
    "attributes that fill a text in": (
        with_files(**{f"{BASE}/.gitattributes": "*.yaml export-subst\n"}),
        ".gitattributes changes what a checkout",
    ),
    "attributes above the load tests": (
        with_files(**{"tests/.gitattributes": "* ident\n"}),
        ".gitattributes changes what a checkout",
    ),
    "submodules": (
        with_files(**{".gitmodules": "[submodule]\n"}),
        ".gitmodules changes what a checkout",
    ),
    "a submodule": (
        lambda tree: tree | {f"{BASE}/more": ("160000", SUBMODULE.encode())},
        "is no plain file but a link or a submodule",
    ),
    "a link inside the commit": (
        lambda tree: tree | {f"{BASE}/more.yaml": ("120000", b"data-fetch.yaml")},
        "is no plain file but a link or a submodule",
    ),
    "another name that kustomize accepts": (
        also("more", with_files(**{f"{BASE}/more/Kustomization": "resources: []\n"})),
        "kustomize would read it, too",
    ),
    "a short ending": (
        with_files(**{f"{BASE}/more/kustomization.yml": "resources: []\n"}),
        "kustomize would read it, too",
    ),
    "a chart beside the kustomization": (
        with_files(**{f"{BASE}/Chart.yaml": "name: evil\nversion: 1.0.0\n"}),
        "Argo CD would take its folder for a chart",
    ),
    "a name that ends as a chart's does, after the kustomization's": (
        with_files(**{f"{BASE}/zChart.yaml": "", f"{BASE}/templates/pod.yaml": ACCOUNT}),
        "Argo CD would take its folder for a chart",
    ),
    "a folder with a name that ends so": (
        with_files(**{f"{BASE}/zChart.yaml/more.yaml": ACCOUNT}),
        "Argo CD would take its folder for a chart",
    ),
    "Argo CD's own way to change an image": (
        with_files(**{f"{BASE}/.argocd-source.yaml": "kustomize: {images: [evil:1]}\n"}),
        "is a name that the judge does not read",
    ),
    "Argo CD's way for one Application": (
        with_files(**{f"{BASE}/.argocd-source-pullrisk.yaml": "kustomize: {images: [a]}\n"}),
        "is a name that the judge does not read",
    ),
    "a folder that is a repository's address": (
        also(
            "github.com/mallory/evil",
            with_files(**{f"{BASE}/github.com/mallory/evil/kustomization.yaml": "resources: []\n"}),
        ),
        "github.com/mallory/evil, which is not in the commit",
    ),
    "a folder that is an SSH address": (
        also("git@example.com:evil"),
        "git@example.com:evil, which is not in the commit",
    ),
    "an address inside a folder": (
        also("more//evil?ref=main"),
        "more//evil?ref=main, which is not in the commit",
    ),
    "a folder out of the commit": (
        also("../../../../etc"),
        "../../../../etc, which is not in the commit",
    ),
    "a folder that the judge does not read": (
        also("../../docs", with_files(**{"docs/kustomization.yaml": "resources: []\n"})),
        "../../docs, which is not in the commit",
    ),
    "a key in other letters": (
        edited(KUSTOMIZATION, "resources:", "Resources:\n  - https://example.com/a\nresources:"),
        "uses Resources",
    ),
    "a transformer": (
        edited(KUSTOMIZATION, "resources:", "transformers: [more.yaml]\nresources:"),
        "uses transformers",
    ),
    "a validator": (
        edited(KUSTOMIZATION, "resources:", "validators: [more.yaml]\nresources:"),
        "uses validators",
    ),
    "a schema from elsewhere": (
        edited(KUSTOMIZATION, "resources:", "openapi: {path: more.json}\nresources:"),
        "uses openapi",
    ),
    "images in another kustomization": (
        also(
            "more",
            with_files(**{f"{BASE}/more/kustomization.yaml": "images: [{name: a, newName: b}]\n"}),
        ),
        "uses images",
    ),
    "a generator with a file from elsewhere": (
        edited(
            KUSTOMIZATION,
            "resources:",
            "configMapGenerator: [{name: a, files: ['https://example.com/a.py']}]\nresources:",
        ),
        "https://example.com/a.py, which is not in the commit",
    ),
    "a generator that renames a file": (
        edited(
            KUSTOMIZATION,
            "resources:",
            "configMapGenerator: [{name: a, files: [sitecustomize.py=more.py]}]\nresources:",
        ),
        "sitecustomize.py=more.py, which is not in the commit",
    ),
    "a list that is none": (
        edited(KUSTOMIZATION, "resources:", "components: more\nresources:"),
        "components is str",
    ),
    "a name that is no UTF-8": (
        lambda tree: tree | {f"{BASE}/\udcff.yaml": ("100644", b"")},
        "is a name that the judge does not read",
    ),
    "a name with a line's end": (
        lambda tree: tree | {f"{BASE}/a b.yaml": ("100644", b"")},
        "is a name that the judge does not read",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_tree_that_readers_could_read_differently_is_refused(trees: Trees, what: str) -> None:
    edit, reason = HOSTILE[what]
    with pytest.raises(RefusedError) as refusal:
        rendered(trees.repository, trees.commit(edit(good())))
    assert reason in str(refusal.value)


def test_attributes_of_other_folders_do_not_matter(trees: Trees) -> None:
    tree = with_files(**{"docs/.gitattributes": "*.png binary\n"})(good())
    assert "kind: CronJob" in rendered(trees.repository, trees.commit(tree))


def test_a_strange_name_elsewhere_does_not_stop_the_judge_and_is_shown(trees: Trees) -> None:
    before = trees.commit(good())
    strange = {"docs/\udcff.md": ("100644", b"a"), 'docs/a "b".md': ("100644", b"a")}
    after = trees.commit(good() | strange)
    assert rendered(trees.repository, after) == rendered(trees.repository, before)
    assert attention(trees.repository, before, after) == ["docs/\\xff.md"]


def test_a_name_cannot_hide_the_list_in_which_it_stands(trees: Trees) -> None:
    before = trees.commit(good())
    strange = dict.fromkeys(
        ("docs/\x1b[2K.md", "docs/\u202egnp.md", "CODEOWNERS"), ("100644", b"a")
    )
    listed = attention(trees.repository, before, trees.commit(good() | strange))
    assert listed == ["CODEOWNERS", "docs/\\x1b[2K.md", "docs/\\u202egnp.md"]


def test_renamed_files_and_what_the_judge_is_made_of_are_listed(trees: Trees) -> None:
    tree = good() | {".github/workflows/a.yml": ("100644", b"name: a\n" * 50)}
    before = trees.commit(tree)
    moved = {path: entry for path, entry in tree.items() if not path.startswith(".github/")}
    moved["docs/a.yml"] = tree[".github/workflows/a.yml"]
    moved |= {
        "constraints.txt": ("100644", b"httpx==2\n"),
        "docs/.gitattributes": ("100644", b"*.png binary\n"),
        "README.md": ("100644", b"# other words\n"),
    }
    assert attention(trees.repository, before, trees.commit(moved)) == [
        ".github/workflows/a.yml",
        "constraints.txt",
        "docs/.gitattributes",
    ]


NAMES = st.sampled_from(
    ["more", "more.yaml", "Kustomization", "kustomization.yml", "kustomization.yaml", "a.b",
     "github.com", ".gitattributes", "-x", "more.toml", "\udcfe", "zChart.yaml",
     ".argocd-source.yaml"]
)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda parts: "/".join([BASE, *parts])
) | st.sampled_from([".gitattributes", "argo-apps/.gitattributes", f"{BASE}/data-fetch.yaml"])
CONTENTS = st.sampled_from(
    [
        ACCOUNT,
        ACCOUNT + "  labels: {id: $Id$, of: '$Format:%H$'}\r\n",
        "resources: []\n",
        "resources: [more.yaml]\n",
        "resources: [../data-fetch.yaml]\n",
        "resources: [github.com/owner/name]\n",
        "namePrefix: x-\nresources: [more.yaml]\n",
        "* ident export-subst\n",
        "*.yaml text eol=crlf\n",
        "*.yaml export-ignore\n",
        "&a [*a]\n",
        "\udcff",
    ]
)
MODES = st.sampled_from(["100644", "100644", "100755", "120000"])
ENTRIES = st.dictionaries(PATHS, st.tuples(MODES, CONTENTS), max_size=3)
RESOURCES = st.lists(
    st.sampled_from(["more", "more.yaml", "more/more", "a.b", "github.com/more", "./more.yaml",
                     "more.yaml/../more.yaml", "more.yaml "]),
    max_size=2,
)  # fmt: skip


@settings(max_examples=15)
@given(entries=ENTRIES, resources=RESOURCES)
def test_what_the_judge_renders_is_what_a_checkout_renders(
    tmp_path_factory: pytest.TempPathFactory,
    entries: dict[str, tuple[str, str]],
    resources: list[str],
) -> None:
    tree = good()
    for resource in resources:
        tree = also(resource)(tree)
    for path, (mode, text) in entries.items():
        inside = [
            each for each in tree if each.startswith(f"{path}/") or path.startswith(f"{each}/")
        ]
        if not inside:
            tree[path] = (mode, text.encode(errors="surrogateescape"))
    folder = tmp_path_factory.mktemp("hostile")
    trees = Trees(folder)
    commit = trees.commit(tree)
    try:
        judged = rendered(trees.repository, commit)
    except DeliveryError:
        return
    checkout = trees.checkout(commit, folder / "checkout")
    done = subprocess.run(
        ["kubectl", "kustomize", str(checkout / BASE)], capture_output=True, text=True, check=True
    )
    assert judged == done.stdout
    # Argo CD renders with helm where a file's name ends so, and takes images from the others
    names = [path.name for path in (checkout / BASE).rglob("*")]
    assert not [one for one in names if one.endswith("Chart.yaml") or one.startswith(".argocd-")]
