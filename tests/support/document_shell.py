"""Runs lines of a shell, read as JSON from standard input, until one fails: for tests of documents.

A plain `pullrisk …` runs in this process, so that libraries are imported once for a whole page;
every other line, and what has a pipe or a variable in it, runs in bash.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from pullrisk.cli import main

ANSWERS = {("models", "promote"): 1, ("monitor",): 12, ("check",): 13}
"""Exit codes that are an answer of a command, not a failure."""


def run(line: str) -> bool:
    """Whether a line ends as it may."""
    print(f"$ {line}", flush=True)
    words = [
        str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(line)
    ]
    if words[0] == "cd":
        os.chdir(words[1])
        return True
    if words[0] == "pullrisk" and not re.search(r"[|$<>;&`]", line):
        code = main(words[1:])
        return code == 0 or any(
            code == answer and tuple(words[1 : 1 + len(command)]) == command
            for command, answer in ANSWERS.items()
        )
    bash = ["bash", "-euo", "pipefail", "-c", line]
    return subprocess.run(bash, check=False, stderr=subprocess.STDOUT).returncode == 0


def run_lines() -> int:
    """Exit code 1 if one of the lines fails; those behind it are not run."""
    lines = json.load(sys.stdin)
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115  (until the end)
    return int(not all(run(line) for line in lines))
