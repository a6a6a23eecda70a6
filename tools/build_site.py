"""Builds the documentation site: docs/, by the navigation of zensical.toml, into a folder.

A page's links to other files of the repository (`../src/…`) work where the page lies; in the site
they lead to the repository. So the pages are copied, those links changed, and the copy is built.
The build is strict: a link between pages, or an anchor, that leads nowhere ends it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIG = "zensical.toml"
_LINK = re.compile(r"\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def main() -> None:
    """Build it; end as the builder ends."""
    parser = argparse.ArgumentParser(description=__doc__, prog="build_site.py")
    parser.add_argument("folder", type=Path, help="what is made; its subfolder site is the site")
    sys.exit(build(parser.parse_args().folder))


def build(folder: Path) -> int:
    """Build the site in `folder`/site; the builder's exit code."""
    copy_pages(folder)
    program = Path(sys.executable).with_name("zensical")
    options = ["--strict", "--clean", "--config-file", str(folder / CONFIG)]
    command = [str(program), "build", *options]
    return subprocess.run(command, check=False, env=os.environ | {"NO_COLOR": "1"}).returncode


def copy_pages(folder: Path) -> None:
    """Make `folder` anew: the configuration, and docs/ with the links changed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / CONFIG, folder)
    (repository,) = tomllib.loads((ROOT / CONFIG).read_text("utf-8"))["project"]["extra"]["social"]
    for page in (folder / "docs").rglob("*.md"):
        original = ROOT / page.relative_to(folder)
        text = _LINK.sub(partial(_link, original, repository["link"]), page.read_text("utf-8"))
        page.write_text(text, encoding="utf-8")


def _link(page: Path, address: str, link: re.Match[str]) -> str:
    """A link to a file outside docs/ as one to the repository; any other as it is."""
    target = (page.parent / link["path"]).resolve()
    if target.is_relative_to(ROOT / "docs"):
        return link[0]
    kind = "tree" if target.is_dir() else "blob"
    path = target.relative_to(ROOT).as_posix()
    return f"]({address}/{kind}/main/{path}{link['anchor'] or ''})"


if __name__ == "__main__":
    main()
