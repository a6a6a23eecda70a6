"""A runner in small: runs the steps of action.yml as GitHub's does; caches are folders."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
_TERM = re.compile(r"always\(\)|[\w.-]+ (?:==|!=) \'[^\']*\'")


class Finished:
    """What a run of the action left: outputs, log, summary and exit code."""

    def __init__(self, outputs: dict[str, str], log: str, summary: str, code: int) -> None:
        self.outputs, self.log, self.summary, self.code = outputs, log, summary, code


class MiniRunner:
    """Runs the action in `folder`, whose caches stay from one run to the next.

    `program` is the `pullrisk` that its environment holds.
    """

    def __init__(
        self, folder: Path, workspace: Path, variables: dict[str, str], *, program: Path
    ) -> None:
        self.folder, self.workspace, self.variables = folder, workspace, variables
        self.program = program
        self.caches = folder / "caches"
        self.caches.mkdir(parents=True)
        self._count = 0

    def run(self, event: str, payload: Path, **inputs: str) -> Finished:
        """One job with the action as its only step."""
        self._count += 1
        temp = self.folder / "temp"  # the path of a cache is part of it
        shutil.rmtree(temp, ignore_errors=True)
        (temp / "pullrisk-venv/bin").mkdir(parents=True)
        (temp / "pullrisk-venv/bin/pullrisk").symlink_to(self.program)
        job = _Job(self, temp, event, payload, inputs)
        return job.run(str(self._count))


class _Job:
    def __init__(
        self, runner: MiniRunner, temp: Path, event: str, payload: Path, inputs: dict[str, str]
    ) -> None:
        self._runner, self._temp = runner, temp
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        self._context = {
            f"inputs.{name}": given.get(name, str(value.get("default", "")))
            for name, value in ACTION["inputs"].items()
        }
        self._context |= {"runner.temp": str(temp), "github.action_path": str(ROOT)}
        self._event, self._payload = event, payload
        self._log, self._code = "", 0

    def run(self, number: str) -> Finished:
        summary = self._temp / "summary.md"
        summary.touch()
        for step in ACTION["runs"]["steps"]:
            if not self._holds(step.get("if")):
                continue
            if "cache/" in step.get("uses", ""):
                self._cache(step)
            elif "run" in step and step.get("id") != "install":
                self._run(step, summary, number)
        outputs = {name: self._text(each["value"]) for name, each in ACTION["outputs"].items()}
        return Finished(outputs, self._log, summary.read_text(), self._code)

    def _holds(self, condition: str | None) -> bool:
        if condition is None:
            return self._code == 0
        terms = _TERM.findall(condition)
        assert " && ".join(terms) == condition, f"the mini runner does not know {condition}"
        always = "always()" in terms
        return (always or self._code == 0) and all(
            self._compare(term) for term in terms if term != "always()"
        )

    def _compare(self, term: str) -> bool:
        name, sign, value = term.split(" ", 2)
        return (self._context.get(name, "") == value.strip("'")) is (sign == "==")

    def _text(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            names = match[1].split(" || ")
            return next((found for name in names if (found := self._context.get(name))), "")

        return _EXPRESSION.sub(value, text)

    def _run(self, step: dict[str, Any], summary: Path, number: str) -> None:
        output = self._temp / "output"
        output.write_text("")
        own = {name: self._text(str(value)) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self._text(step["working-directory"]),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._temp),
                "OMP_NUM_THREADS": "1",
                "GITHUB_EVENT_NAME": self._event,
                "GITHUB_EVENT_PATH": str(self._payload),
                "GITHUB_WORKSPACE": str(self._runner.workspace),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_RUN_ID": number,
                "RUNNER_TEMP": str(self._temp),
                **self._runner.variables,
                **own,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self._log += done.stdout + done.stderr
        self._code = self._code or done.returncode
        if "id" in step:
            for name, value in read_outputs(output.read_text()).items():
                self._context[f"steps.{step['id']}.outputs.{name}"] = value

    def _cache(self, step: dict[str, Any]) -> None:
        given = {name: self._text(value) for name, value in step["with"].items()}
        path, held = Path(given["path"]), self._runner.caches / given["key"]
        if "/save@" in step["uses"]:
            shutil.rmtree(held, ignore_errors=True)
            shutil.copytree(path, held)
            return
        hit = held.is_dir()
        older = sorted(self._runner.caches.glob(f"{given['restore-keys']}*"), key=os.path.getmtime)
        for chosen in [held] if hit else older[-1:]:
            shutil.copytree(chosen, path, dirs_exist_ok=True)
        self._context[f"steps.{step.get('id')}.outputs.cache-hit"] = str(hit).lower()


def read_outputs(text: str) -> dict[str, str]:
    """The file of outputs as the runner reads it."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, mark = line.partition("<<")
        value = []
        for each in lines:
            if each == mark:
                break
            value.append(each)
        found[name] = "\n".join(value)
    return found
