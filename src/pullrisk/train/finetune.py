"""Fine-tuning: an ordinary training that begins at another model's weights and scaling."""

from hashlib import sha256
from typing import Final

import msgspec

from pullrisk.model.bundle import Bundle
from pullrisk.model.start import Start
from pullrisk.train.fit import FitSettings

LEARNING_RATE: Final = 4e-3
"""Twice the usual: few batches have to move the weights far enough. See docs/train.md."""


def start_from(bundle: Bundle, *, name: str) -> Start:
    """Where to begin, named after the model and its file's digest."""
    return Start.of(bundle, name=f"{name} sha256:{sha256(bundle.data).hexdigest()[:16]}")


def fine_tuning(settings: FitSettings) -> FitSettings:
    """The settings with what differs when a training does not begin from chance."""
    return msgspec.structs.replace(settings, learning_rate=LEARNING_RATE)
