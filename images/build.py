"""Build the image of a stage, or push one that was built; images/README.md says how it is run.

The build sees the files of one commit and nothing else of this checkout: an uncommitted change is
not in the image, and two builds of a commit give the same layers.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from images import pip_settings
from images.engine import Engine, EngineError, find

HERE = Path(__file__).parent
ROOT = HERE.parent
REGISTRY = "registry.digitalocean.com/pullrisk"
STAGES = ("data-fetch", "spark-preprocess", "ml-training", "model-serving")
INPUTS = (
    "constraints.txt", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "src", "images",
)  # fmt: skip
"""What a build may look at."""
COMPILER = ("mypy", "librt", "msgspec", "numpy", "setuptools")
"""What hatch_build.py asks for."""
UNSCORED = {"data-fetch": ("onnxruntime",), "spark-preprocess": ("onnxruntime",)}
"""What a stage that scores nothing leaves out of what the package always brings."""
OWN = re.compile(r"pullrisk\[([\w,-]+)\]")
MOMENT = 315_532_800
"""The time of every file in the context and in the layers: 1980-01-01."""


@dataclass(frozen=True)
class Bases:
    """References of the base images that a build starts from."""

    build: str
    run: str

    @property
    def stand_in(self) -> bool:
        """Whether they are stand-ins of this machine, which have no digest."""
        return "@" not in self.run


@dataclass(frozen=True)
class Image:
    """One stage's image at a commit."""

    stage: str
    revision: str
    name: str


def main() -> int:
    """Build or push; print the image's id or the pushed digest."""
    options = parser().parse_args()
    try:
        engine = find([options.engine] if options.engine else ("podman", "docker"))
        revision = git("rev-parse", options.revision)
        name = f"{options.registry}/{options.stage}:{options.tag or revision}"
        image = Image(options.stage, revision, name)
        if options.push:
            print(push(engine, image, options.metadata_file))
        else:
            print(build(engine, image, options))
    except (EngineError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("stage", choices=STAGES)
    found.add_argument("--revision", default="HEAD", help="commit to build (HEAD)")
    found.add_argument("--registry", default=REGISTRY, help=f"where it belongs ({REGISTRY})")
    found.add_argument("--tag", help="its tag (the commit)")
    found.add_argument("--metadata-file", type=Path, metavar="F", help="what was built, as JSON")
    found.add_argument("--push", action="store_true", help="push what F says, build nothing")
    found.add_argument("--engine", choices=("podman", "docker"), help="(podman, else docker)")
    found.add_argument("--no-cache", action="store_true", help="build every layer anew")
    named = named_bases()
    found.add_argument("--build-base", default=named.build, help="(that of images/base.env)")
    found.add_argument(
        "--run-base",
        default=named.run,
        help="(that of images/base.env); what stands on one without a digest is not pushed",
    )
    return found


def build(engine: Engine, image: Image, options: argparse.Namespace) -> str:
    """Build the image; its id."""
    bases = Bases(options.build_base, options.run_base)
    with tempfile.TemporaryDirectory(prefix="pullrisk-build-") as folder:
        context = Path(folder, "context")
        export(image.revision, context)
        with pip_settings.secrets(Path(folder), engine) as secrets:
            engine.show(
                *command(engine, image, bases),
                *secrets,
                *(["--no-cache"] if options.no_cache else []),
                *("--file", str(context / "images" / f"{image.stage}.Dockerfile"), str(context)),
            )
    built = engine.id(image.name)
    if built is None:
        raise EngineError(f"{image.name} was built and is not there")
    note(options.metadata_file, image, id=built, stand_in=bases.stand_in)
    return built


def named_bases() -> Bases:
    """The images of base.env, by digest."""
    lines = (HERE / "base.env").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return Bases(found["BUILD_BASE"], found["RUN_BASE"])


def command(engine: Engine, image: Image, bases: Bases) -> list[str]:
    """The engine's command for a build, without the context."""
    moment = int(git("show", "-s", "--format=%ct", image.revision))
    arguments = {
        "BUILD_BASE": bases.build,
        "RUN_BASE": bases.run,
        "REVISION": image.revision,
        "CREATED": git("show", "-s", "--format=%cI", image.revision),
        "VERSION": version(image.revision),
        "BASE_NAME": bases.run.partition("@")[0],
        "BASE_DIGEST": bases.run.partition("@")[2] or "stand-in",
    }
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    if engine.podman:
        # --timestamp dates layers and image; one date for all commits lets them share layers.
        return ["build", "--format=docker", "--layers", f"--timestamp={MOMENT}",
                "--network=host", f"--tag={image.name}", *given]  # fmt: skip
    output = f"type=docker,name={image.name},rewrite-timestamp=true"
    return ["buildx", "build", "--provenance=false", "--sbom=false", f"--output={output}",
            f"--build-arg=SOURCE_DATE_EPOCH={moment}", *given]  # fmt: skip


def push(engine: Engine, image: Image, metadata: Path | None) -> str:
    """Push the image that the metadata file describes; return the digest that the registry has."""
    if metadata is None:
        raise EngineError("--push needs --metadata-file, which says what was built")
    built = json.loads(metadata.read_text(encoding="utf-8"))
    if built["stand_in"] and not local(image.name):
        raise EngineError(f"{image.name} stands on stand-ins for its bases: not to be pushed")
    if (built["image"], built["id"]) != (image.name, engine.id(image.name)):
        raise EngineError(f"{image.name} is not the image that {metadata} tells of")
    digest = pushed(engine, image.name)
    note(metadata, image, id=built["id"], stand_in=built["stand_in"], digest=digest)
    return digest


def pushed(engine: Engine, name: str) -> str:
    """Push, and take the digest from the push itself."""
    if engine.podman:
        with tempfile.TemporaryDirectory(prefix="pullrisk-push-") as folder:
            file = Path(folder, "digest")
            tls = [] if not local(name) else ["--tls-verify=false"]
            engine.show("push", *tls, f"--digestfile={file}", name)
            return file.read_text(encoding="utf-8").strip()
    said = engine.run("push", name)
    print(said, file=sys.stderr)
    found = [word for word in said.split() if word.startswith("sha256:")]
    if not found:
        raise EngineError(f"docker push told no digest of {name}")
    return found[-1]


def local(name: str) -> bool:
    """Whether the registry is on this machine."""
    return urlsplit(f"//{name}").hostname in ("localhost", "127.0.0.1")


def note(path: Path | None, image: Image, **more: object) -> None:
    """Write the metadata file, where one is wanted."""
    if path is not None:
        known = {"stage": image.stage, "image": image.name, "revision": image.revision, **more}
        path.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def export(revision: str, folder: Path) -> None:
    """The commit's files that a build may look at, all of one time."""
    folder.mkdir()
    command = ["git", "archive", "--format=tar", revision, "--", *INPUTS]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as archive,
        tarfile.open(fileobj=archive.stdout, mode="r|") as files,
    ):
        files.extractall(folder, filter="data")
    if archive.returncode:
        raise EngineError(f"git archive of {revision} ended with {archive.returncode}")
    locks(folder)
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (MOMENT, MOMENT))
    changed = git("status", "--porcelain", "--", *INPUTS)
    if changed:
        print(f"note: not committed, so not in the image:\n{changed}", file=sys.stderr)


def locks(context: Path) -> None:
    """Write what is to be installed as lists, so that other edits of pyproject.toml keep layers."""
    project = tomllib.loads((context / "pyproject.toml").read_text(encoding="utf-8"))
    folder = context / "requirements"
    folder.mkdir()
    lists = {stage: packages(project["project"], stage) for stage in STAGES}
    lists["tools"] = {*project["build-system"]["requires"], *COMPILER}
    for name, wanted in lists.items():
        (folder / f"{name}.txt").write_text("\n".join([*sorted(wanted), ""]), encoding="utf-8")


def packages(project: dict[str, Any], stage: str) -> set[str]:
    """What the image of a stage installs."""
    left_out = UNSCORED.get(stage, ())
    return {line for line in requirements(project, stage) if not line.startswith(left_out)}


def requirements(project: dict[str, Any], extra: str) -> set[str]:
    """The project's own dependencies and those of an extra, with the extras that it names."""
    found = set(project["dependencies"])
    for each in project["optional-dependencies"][extra]:
        own = OWN.fullmatch(each)
        found |= {each} if own is None else set()
        for name in own[1].split(",") if own else ():
            found |= requirements(project, name)
    return found


def version(revision: str) -> str:
    """The package's version at that commit."""
    text = git("show", f"{revision}:pyproject.toml")
    return str(tomllib.loads(text)["project"]["version"])


def git(*arguments: str) -> str:
    """What git says."""
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
