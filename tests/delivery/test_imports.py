"""What commands can reach, read from the code: more than they import when they run, never less."""

import subprocess
import sys
from pathlib import Path

import pytest

from delivery.imports import Graph, module_name

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample" / "kedro-org__kedro.jsonl.gz"
RUN = """\
import sys
from pullrisk.cli import main
main(sys.argv[2:])
ours = [name for name in sys.modules if name.split(".")[0] == "pullrisk"]
open(sys.argv[1], "w").write("\\n".join(ours))
"""


def graph(**files: str) -> Graph:
    """Of a package whose module names are given with `__` for dots."""
    named = {name.replace("__", "/"): text for name, text in files.items()}
    own = {"__init__": "", "cli/__init__": "", "__main__": "import pullrisk.cli"} | named
    return Graph.of({f"src/pullrisk/{name}.py": text.encode() for name, text in own.items()})


def reached(of: Graph, command: str) -> set[str]:
    return {module_name(path) for path in of.reached([command])}


def test_a_functions_own_import_counts_only_where_the_function_is_used() -> None:
    late = "def one():\n    from pullrisk import a\n\ndef two():\n    from pullrisk import b\n"
    command = "from pullrisk.tools import one\n\ndef run():\n    one()\n"
    found = reached(graph(tools=late, a="", b="", cli__go=command), "go")
    assert "pullrisk.a" in found
    assert "pullrisk.b" not in found


def test_a_name_is_followed_through_the_packages_that_pass_it_on() -> None:
    files = {
        "p__deep": "def f():\n    import pullrisk.a\n",
        "p__other": "",
        "p": "",
        "q": "from pullrisk.p.deep import f as g\n",
        "a": "",
        "cli__go": "def run():\n    from pullrisk.q import g\n    g()\n",
    }
    assert {"pullrisk.q", "pullrisk.p.deep", "pullrisk.a"} <= reached(graph(**files), "go")


@pytest.mark.parametrize(
    "text",
    [
        "import pullrisk.a",
        "from pullrisk import a",
        "from . import go\nfrom .. import a",
        "from pullrisk.all import *",
        "def run():\n    serve('pullrisk.a:app')",
        "class Command:\n    def run(self):\n        import pullrisk.a",
        "try:\n    import pullrisk.a\nexcept ImportError:\n    pass",
        "def run(x=[m for m in __import__('pullrisk.a')]): ...",
        "import importlib\n\ndef run(n):\n    importlib.import_module(n)",
        "import importlib\n\ndef run(n):\n    importlib.import_module(f'pullrisk.{n}')",
        "from pullrisk import all\n\ndef run():\n    all.helper()",
    ],
)
def test_every_way_to_import_is_seen(text: str) -> None:
    helper = "def helper():\n    from pullrisk.a import anything\n"
    assert "pullrisk.a" in reached(graph(a="", all=helper, cli__go=text), "go")


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import pullrisk.a",
        "import typing\n\nif typing.TYPE_CHECKING:\n    from pullrisk import a",
        "import importlib\n\ndef run(n):\n    importlib.import_module(f'sklearn.{n}')",
        "def run():\n    print('a')",
    ],
)
def test_what_never_runs_or_is_another_packages_is_not(text: str) -> None:
    assert "pullrisk.a" not in reached(graph(a="", cli__go=text), "go")


def test_data_beside_a_module_that_is_reached_counts() -> None:
    of = Graph.of(
        {"src/pullrisk/p/__init__.py": b"", "src/pullrisk/cli/go.py": b"import pullrisk.p"},
        ["src/pullrisk/p/pages/one.html", "src/pullrisk/other/data.json"],
    )
    found = of.reached(["go"])
    assert "src/pullrisk/p/pages/one.html" in found
    assert "src/pullrisk/other/data.json" not in found


@pytest.fixture(scope="module")
def real() -> Graph:
    """The package as it lies here."""
    paths = list((ROOT / "src" / "pullrisk").rglob("*.py"))
    return Graph.of({str(path.relative_to(ROOT)): path.read_bytes() for path in paths})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fetch", "--file", str(SAMPLE), "--quiet"],
        ["preprocess", "--quiet"],
        ["train", "--no-gate", "--quiet"],
        ["serve", "--port", "0"],
    ],
    ids=lambda words: str(words[0]),
)
def test_what_a_command_imports_when_it_runs_was_foreseen(
    real: Graph, home: Path, tmp_path: Path, arguments: list[str]
) -> None:
    pytest.importorskip("deltalake", reason="the extra lake is not installed")
    out = tmp_path / "modules"
    environment = {"PULLRISK_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment["OMP_NUM_THREADS"] = "1"
    subprocess.run(
        [sys.executable, "-c", RUN, str(out), *arguments],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=120,
    )
    imported = set(out.read_text().split())
    assert len(imported) > 10
    assert imported - {"pullrisk"} <= reached(real, arguments[0])
