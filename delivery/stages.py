"""The names that workflows, images, manifests and attestations share."""

from typing import Final

STAGES: Final = ("data-fetch", "spark-preprocess", "ml-training", "model-serving")
"""One image, one workflow, one manifest each."""
REGISTRY: Final = "https://registry.digitalocean.com"
"""Where images are pushed."""
KUSTOMIZATION: Final = "argo-apps/base/kustomization.yaml"
"""The one file that says which images run."""
MANIFESTS: Final = "argo-apps/base"
MARKS: Final = "argo-apps/rolled-back.yaml"
"""Which stages run an earlier image than their code's, and why; absent when none does."""
OVERLAYS: Final = "argo-apps/overlays"
"""A folder for each cluster: the base with the components that it opts in to."""
STAGING: Final = "staging"
"""The branch that images are built from."""
MAIN: Final = "main"
"""The branch that production runs; nothing is built on it."""
WORKFLOW: Final = ".github/workflows/stage.yml"
"""The only workflow that may sign for an image."""
LOAD_TESTED: Final = frozenset({"model-serving"})
"""Stages whose image also has to pass Locust."""

_NAME: Final = "registry.digitalocean.com/pullrisk/"


def image_name(stage: str) -> str:
    """The image's name in manifests, without tag or digest."""
    return _NAME + stage


def repository(stage: str) -> str:
    """The image's repository inside the registry."""
    return f"pullrisk/{stage}"
