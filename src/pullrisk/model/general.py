"""The general model: trained on public repositories, part of the package, good for any clone."""

from importlib.resources import files
from typing import Final

from pullrisk.model.bundle import Bundle

GENERAL: Final = "general"
"""What the command line and the settings call it."""
MODEL_FILE: Final = "general.onnx"
CARD_FILE: Final = "general.json"
"""How it was made and how good it is; `make general-model` writes both files."""


USUAL_PULLS: Final = 1_000
"""How many of a repository's latest pulls say what is usual in it."""


def general_bundle() -> Bundle:
    """The general model. Raises ModelError where it was made for another feature schema."""
    return Bundle.of(_data(), source="general")


def is_general(bundle: Bundle) -> bool:
    """Whether it is the general model: as it comes with the package, or measured on a home."""
    return bool(bundle.metadata.facts.measured_on) or bundle.data == _data()


def _data() -> bytes:
    return files("pullrisk.model").joinpath(MODEL_FILE).read_bytes()
