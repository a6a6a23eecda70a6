"""Builds the wheel, with the fold compiled to C by mypyc where a C compiler is at hand.

The compiled modules are the same Python, type-checked and translated: the same rows in a third of
the time (tests/features/test_compiled.py compares the rows; `make bench-preprocess` measures).
Without a compiler the wheel holds Python alone and says so. PULLRISK_COMPILE=1 insists, =0 forgoes.
An editable install is never compiled, or an edit would go unnoticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLD = (
    *(f"pullrisk/features/{name}.py" for name in (
        "author", "change", "content", "decay", "failures", "history", "identity", "likeness",
        "lines", "paths", "pulllog", "pull_context", "repairs", "replay", "repository",
        "reviewers", "text", "touched",
    )),
    "pullrisk/pulls/outcomes/merged_pulls.py",
)  # fmt: skip
"""What is compiled: all that runs for every pull, and nothing that does not."""
_COMPILER = ["librt>=0.16", "mypy>=2.4", "msgspec>=0.19", "numpy>=2.0", "setuptools>=77"]
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup
setup(name="fold", package_dir={{"": "src"}}, packages=["pullrisk"],
      ext_modules=mypycify({modules!r}, opt_level="3", debug_level="0"))
"""
# The package's own __init__ names the public API, and so every library: mypyc needs none of it.
_MYPY = "[mypy]\n[mypy-pullrisk]\nfollow_imports = skip\n"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's way in; see the module."""

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        return _COMPILER if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the compiled modules to a standard wheel."""
        if self.target_name != "wheel" or version != "standard" or not _wanted():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="pullrisk-fold-")
        try:
            modules = compiled(Path(self.root), Path(self._folder.name))
        except subprocess.CalledProcessError as error:
            if _asked() == "1":
                raise
            self.app.display_warning(f"the fold stays Python, as compiling failed: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update(modules)


def compiled(root: Path, folder: Path) -> dict[str, str]:
    """Compile `root`'s fold in `folder`: each extension module's path, and its place in a wheel.

    Raises subprocess.CalledProcessError where mypyc or the C compiler fails.
    """
    shutil.copytree(
        root / "src", folder / "src", ignore=shutil.ignore_patterns("*.so", "*.pyd", "*.pyc")
    )
    setup = folder / "setup.py"
    (folder / "mypy.ini").write_text(_MYPY)
    setup.write_text(_SETUP.format(modules=[f"src/{module}" for module in FOLD]))
    subprocess.run(  # noqa: S603 - our own Python, our own arguments
        [sys.executable, setup.name, "--quiet", "build_ext", "--inplace"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": "src", "CFLAGS": f"{os.environ.get('CFLAGS', '')} -g0"},
        check=True,
    )
    source = folder / "src"
    found = sorted([*source.rglob("*.so"), *source.rglob("*.pyd")])  # of Windows
    return {str(path): str(path.relative_to(source)) for path in found}


def _asked() -> str:
    return os.environ.get("PULLRISK_COMPILE", "")


def _wanted() -> bool:
    return _asked() != "0" and (_asked() == "1" or shutil.which("cc") is not None)


if __name__ == "__main__":  # python hatch_build.py FOLDER: src, with the fold compiled
    compiled(Path(__file__).parent, Path(sys.argv[1]))
