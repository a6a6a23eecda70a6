"""The general model: trained on public repositories, part of the package, good for any clone."""

from importlib.resources import files
from typing import Final

from pullrisk.model.bundle import Bundle

GENERAL: Final = "general"
"""What the command line and the settings call it."""
MODEL_FILE: Final = "general.onnx"
CARD_FILE: Final = "general.json"
"""How it was made and how good it is; `make general-model` writes both files."""


def general_bundle() -> Bundle:
    """The general model. Raises ModelError where it was made for another feature schema."""
    data = files("pullrisk.model").joinpath(MODEL_FILE).read_bytes()
    return Bundle.of(data, source="general")
