"""Every extra installs alone: what it brings is all that its part of pullrisk imports."""

import json
from pathlib import Path

import pytest

from support.extras import ROOT, install, modules, run

SERVES = {
    "action": ("pullrisk.action", "pullrisk.wiring.action_"),
    "github": ("pullrisk.fetch.github",),
    "lake": ("pullrisk.lake", "pullrisk.preprocess.local"),
    "spark": ("pullrisk.lake", "pullrisk.preprocess", "pyspark.sql"),
    "mongo": ("pullrisk.pulls.mongo", "pullrisk.pulls.deliveries_mongo"),
    "train": (
        "pullrisk.train", "pullrisk.report", "jax", "optax", "mlflow", "onnx", "sklearn", "jinja2",
        "pandas", "alembic", "pyarrow.dataset",
    ),
    "serve": (
        "pullrisk.serve", "pullrisk.brief", "pullrisk.report", "granian", "uvloop", "structlog",
        "prometheus_client", "jinja2", "pyarrow.dataset",
    ),
    "vault": ("pullrisk.secrets", "hvac"),
    "otel": ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
    "demo": ("pullrisk.fetch", "pullrisk.preprocess.local", "pullrisk.train", "pullrisk.report"),
    "delivery": ("delivery",),
}  # fmt: skip
"""What an extra is for: libraries, and modules of ours by how their names begin."""
ELSEWHERE = {
    "gpu": "brings CUDA",
    "dev": "is what runs these tests",
    "docs": "builds the site: tests/test_site.py",
    **dict.fromkeys(
        ("data-fetch", "spark-preprocess", "ml-training", "model-serving"),
        "tests/images run the image that it makes",
    ),
}
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}")
"""
CLI = "from pullrisk.cli import main; raise SystemExit(main())"


def named(prefix: str) -> list[str]:
    """Our modules whose names begin so, else the library itself."""
    ours = [
        *modules(ROOT / "src" / "pullrisk", "pullrisk"),
        *modules(ROOT / "delivery", "delivery"),
    ]
    return [name for name in ours if name.startswith(prefix)] or [prefix]


def test_every_extra_is_tried_here_or_elsewhere() -> None:
    from support.extras import PROJECT

    assert {*SERVES, *ELSEWHERE} == {*PROJECT["optional-dependencies"]}


@pytest.mark.parametrize("extra", SERVES)
def test_an_extra_alone_brings_what_its_part_imports(extra: str, tmp_path: Path) -> None:
    install(extra, tmp_path / "site")
    if extra == "delivery":
        (tmp_path / "site" / "delivery").symlink_to(ROOT / "delivery")
    wanted = [name for prefix in SERVES[extra] for name in named(prefix)]
    done = run(tmp_path / "site", IMPORT, *wanted)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("core") / "site"
    install("", folder)
    return folder


@pytest.mark.parametrize(
    "words",
    ["score --git", "score --json --git", "explain --git", "top --git", "check"],
)
def test_the_package_without_an_extra_scores_a_clone(
    core: Path, clone_of_sample: Path, tmp_path: Path, words: str
) -> None:
    done = run(core, CLI, *words.split(), str(clone_of_sample), PULLRISK_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "is not installed" not in done.stderr
    if "--json" in words:
        assert {one["basis"] for one in json.loads(done.stdout)} == {"row"}


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("fetch owner/name", "github"),
        ("preprocess", "lake"),
        ("train", "lake"),
        ("serve", "serve"),
        ("store stats mongodb://localhost/x", "mongo"),
    ],
)
def test_what_needs_an_extra_says_which(core: Path, tmp_path: Path, words: str, extra: str) -> None:
    done = run(core, CLI, *words.split(), PULLRISK_HOME=str(tmp_path), GITHUB_TOKEN="ghp_x")
    assert done.returncode == 9, done.stderr
    assert f"pip install 'pullrisk[{extra}]'" in done.stderr


def test_a_notebook_scores_a_clone_without_an_extra(
    core: Path, clone_of_sample: Path, tmp_path: Path
) -> None:
    program = (
        "import sys, pullrisk; clone = pullrisk.open_clone(sys.argv[1])\n"
        "print(len(clone.score(recent=3)), len(clone.briefs(recent=2)))\n"
        "clone.features()"
    )
    done = run(core, program, str(clone_of_sample), PULLRISK_HOME=str(tmp_path))
    assert done.stdout.strip() == "3 2"
    assert "MissingExtraError: pyarrow is not installed" in done.stderr
