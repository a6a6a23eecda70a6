"""Fine-tuning: a training that starts from the weights and the scaling of a trained model.

The ONNX graph holds every tensor of the network under the network's own name, so the file that
scores is all that is needed; there is no second format to keep.
"""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from pullrisk.arrays import Bools, Float32
from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle
from pullrisk.model.calibration import Calibration
from pullrisk.model.category_head import CategoryHead
from pullrisk.model.graph import import_onnx
from pullrisk.model.metadata import QUESTIONS, Question
from pullrisk.model.network import Weights
from pullrisk.model.scaling import Scaling


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A trained model's scaling [d], all constants of its graph by name, and what it is called.

    `calibration` is the model's, of the questions that it answers: a fine-tuned one goes on
    answering them.
    """

    name: str
    calibration: dict[Question, Calibration]
    scaling: Scaling
    weights: dict[str, Float32]

    @property
    def answered(self) -> Bools:
        """Which of QUESTIONS the model answers, [questions]."""
        return np.array([question in self.calibration for question in QUESTIONS])

    @property
    def category(self) -> CategoryHead | None:
        """The model's category head, None if it has none."""
        names = ("category_words", "category_wide", "category_bias")
        if not self.weights.keys() >= set(names):
            return None
        words, wide, bias = (self.weights[name] for name in names)
        return CategoryHead(words.astype(np.float16), wide, bias)

    @classmethod
    def of(cls, bundle: Bundle, *, name: str) -> "WarmStart":
        """Read them back from the bundle's own file, called `name` and the file's digest.

        Raises MissingExtraError if onnx is not installed.
        """
        onnx = import_onnx()
        graph = onnx.load_from_string(bundle.data).graph
        called = f"{name} sha256:{sha256(bundle.data).hexdigest()[:16]}"
        constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
        parts = [constants.pop(part) for part in ("logarithmic", "mean", "spread")]
        metadata = bundle.metadata
        calibration = {
            question: each
            for question, each in metadata.calibration.items()
            if metadata.answers(question)
        }
        return cls(called, calibration, Scaling(*parts), constants)

    def matching(self, weights: Weights) -> Weights:
        """The weights of a network of these shapes; ModelError where the model has others."""
        for name, shape in ((name, array.shape) for name, array in weights.items()):
            own = self.weights[name].shape if name in self.weights else None
            if own != shape:
                raise ModelError(
                    f"fine-tuning cannot start from {self.name}: its {name} has shape {own}, "
                    f"the network to train {shape}",
                    hint="train with the shape of that model, or without --from",
                )
        return {name: np.array(self.weights[name], np.float32) for name in weights}
