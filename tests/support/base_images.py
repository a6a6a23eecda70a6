"""Stand-ins for the two base images, made where no image can be pulled.

debootstrap makes them of Debian's packages, under the names of images/base.env without a digest.
All that lies above the bases can so be tried. Run, it prints what images/build.py has to be told.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from images.build import Bases, named_bases
from images.engine import Engine, EngineError, find

BUILDER = (
    "python3", "python3-pip", "git", "gcc", "libc6-dev", "libpython3.11-dev", "libgomp1", "netbase",
    "libstdc++6", "tzdata",
)  # fmt: skip
"""What the stand-in for the building image has besides Debian's minimum."""
RUNNER = (
    "base-files", "ca-certificates", "libbz2-1.0", "libc6", "libcom-err2", "libcrypt1",
    "libdb5.3", "libexpat1", "libffi8", "libgcc-s1", "libgomp1", "libgssapi-krb5-2",
    "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "liblzma5", "libncursesw6",
    "libnsl2", "libpython3.11-minimal", "libpython3.11-stdlib", "libreadline8", "libsqlite3-0",
    "libssl3", "libstdc++6", "libtinfo6", "libtirpc3", "libuuid1", "media-types", "netbase",
    "python3.11-minimal", "tzdata", "zlib1g",
)  # fmt: skip
"""The packages of distroless/python3-debian12: no shell, no package manager."""
_RECIPE = "pullrisk.packages"
"""The label of a stand-in that says what it was made of: it is made anew when that changes."""
_ABSENT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")
_USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"


def resolve(engine: Engine, which: str) -> Bases:
    """The bases to build on: `real`, `stand-in`, or `auto`: the real ones if they can be pulled.

    Raises EngineError if stand-ins are needed and cannot be made.
    """
    real = named_bases()
    if which == "real":
        return real
    standing = Bases(*(each.partition("@")[0] for each in (real.build, real.run)))
    if which == "auto" and (all(map(engine.id, (real.build, real.run))) or pulled(engine, real)):
        return real
    if not all(made(engine, each) for each in (standing.build, standing.run)):
        make(engine, standing)
    return standing


def made(engine: Engine, name: str) -> bool:
    """Whether the stand-in is there, of the packages that are listed here."""
    if engine.id(name) is None:
        return False
    labels = engine.inspect("image", name)["Config"].get("Labels") or {}
    return labels.get(_RECIPE) == recipe()


def recipe() -> str:
    """A name for the lists of packages."""
    return hashlib.sha256(repr((BUILDER, RUNNER)).encode()).hexdigest()[:12]


def pulled(engine: Engine, real: Bases) -> bool:
    """Pull both; whether that worked."""
    try:
        for each in (real.run, real.build):
            engine.run("pull", "--quiet", each, seconds=300)
    except EngineError as error:
        print(f"note: {str(error).splitlines()[-1]}", file=sys.stderr)
        return False
    return True


def make(engine: Engine, standing: Bases) -> None:
    """Make both stand-ins. Raises EngineError if debootstrap cannot run."""
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise EngineError("stand-ins for the base images need debootstrap, and root to run it")
    print("making stand-ins for the base images (two minutes, once)", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="pullrisk-base-") as folder:
        builder, runner = Path(folder, "builder"), Path(folder, "runner")
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(BUILDER)}"]
        with Path(folder, "log").open("wb") as log:
            ran = subprocess.run([*command, "bookworm", str(builder)], stdout=log, check=False)
        if ran.returncode:
            raise EngineError(f"debootstrap: {Path(folder, 'log').read_text()[-2000:]}")
        take(builder, runner)
        imported(engine, builder, standing.build)
        imported(engine, runner, standing.run)


def take(builder: Path, runner: Path) -> None:
    """Copy the files of RUNNER's packages, and nothing else, out of a Debian tree."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (runner / "usr" / name).mkdir(parents=True)
        (runner / name).symlink_to(f"usr/{name}")
    for place, mode in (("tmp", 0o1777), ("etc/ssl/certs", 0o755), ("proc", 0o755)):
        (runner / place).mkdir(parents=True)
        (runner / place).chmod(mode)
    query = ["dpkg-query", f"--admindir={builder}/var/lib/dpkg", "--listfiles", *RUNNER]
    listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    for line in sorted(set(listed.split("\n"))):
        copy(builder, runner, line.strip("/."))
    bundle = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy(builder / bundle, runner / bundle)
    (runner / "etc/passwd").write_text(_USERS)
    (runner / "etc/group").write_text("root:x:0:\nnonroot:x:65532:\n")


def copy(builder: Path, runner: Path, place: str) -> None:
    """Copy one file or link of a package; folders come with their files."""
    source, target = builder / place, runner / place
    if not place or place.startswith(_ABSENT) or (source.is_dir() and not source.is_symlink()):
        return
    if os.path.lexists(source):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def imported(engine: Engine, tree: Path, name: str) -> None:
    """Make an image of a tree."""
    archive = tree.with_suffix(".tar")
    tar = ["tar", "--sort=name", "--mtime=@315532800", "--numeric-owner", "-C", str(tree)]
    subprocess.run([*tar, "-cf", str(archive), "."], check=True)
    engine.run("import", "--change", f"LABEL {_RECIPE}={recipe()}", str(archive), name)
    archive.unlink()


def options(bases: Bases) -> list[str]:
    """What images/build.py has to be told."""
    return [f"--build-base={bases.build}", f"--run-base={bases.run}"]


def main() -> int:
    """Make sure that the bases are there, and print the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=("real", "stand-in", "auto"), nargs="?", default="auto")
    try:
        print(*options(resolve(find(), parser.parse_args().which)))
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
