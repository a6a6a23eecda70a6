"""The whole scorer as one ONNX graph: raw features in, risk, novelty error, code, category out.

The graph is put together operator by operator rather than traced, so it needs no exporter, is
the same bytes for the same weights, and holds nothing that scoring does not use.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import MissingExtraError
from pullrisk.model.category_head import CategoryHead
from pullrisk.model.metadata import METADATA_KEY, Metadata
from pullrisk.model.residuals import ERROR_CAP, Ordinary
from pullrisk.model.scaling import CLIP, Scaling
from pullrisk.model.tokens import WIDTH

OPSET: Final = 17
IR_VERSION: Final = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """What the graph is made of: scaling, the network's weights, what recent pulls look like.

    Without a `category` head the graph has no such output and no input `words`.
    """

    scaling: Scaling
    weights: dict[str, NDArray[np.float32]]
    ordinary: Ordinary
    category: CategoryHead | None = None


def to_onnx(parts: Parts, metadata: Metadata) -> bytes:
    """The serialised ONNX model; raises MissingExtraError where onnx is not installed."""
    onnx = import_onnx()
    builder = _Builder(onnx)
    _scale(builder, parts.scaling)
    _network(builder)
    _answers(builder)
    _novelty(builder)
    for name, value in _constants(parts, metadata).items():
        builder.constant(name, value)
    if parts.category is not None:
        _category(builder, parts.category)
    model = builder.model(inputs=len(metadata.features), code=_code_width(parts))
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, msgspec.json.encode(metadata).decode()
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _scale(b: "_Builder", scaling: Scaling) -> None:
    b.op("Abs", "x", to="size")
    b.op("Add", "size", "one", to="size1")
    b.op("Log", "size1", to="log")
    b.op("Sign", "x", to="sign")
    b.op("Mul", "sign", "log", to="compressed")
    b.op("Where", "logarithmic", "compressed", "x", to="values")
    b.op("Sub", "values", "mean", to="centred")
    b.op("Div", "centred", "spread", to="standard")
    b.op("Clip", "standard", "least", "most", to="z")
    b.op("Unsqueeze", "z", "axis0", to="members_z")


def _network(b: "_Builder") -> None:
    b.layer("members_z", "encoder1", to="e1")
    b.silu("e1", to="e1_on")
    b.layer("e1_on", "encoder2", to="e2")
    b.op("Tanh", "e2", to="members_code")
    b.layer("members_code", "decoder1", to="d1")
    b.silu("d1", to="d1_on")
    b.layer("d1_on", "decoder2", to="members_rebuilt")
    b.op("MatMul", "members_code", "head", to="deep_logit")
    b.op("MatMul", "members_z", "wide", to="wide_logit")
    b.op("Add", "deep_logit", "wide_logit", to="both_logit")
    b.op("Add", "both_logit", "bias", to="members_logit")


def _answers(b: "_Builder") -> None:
    b.op("ReduceMean", "members_logit", to="logit", axes=[0, 2], keepdims=0)
    b.op("Mul", "logit", "slope", to="sloped")
    b.op("Add", "sloped", "intercept", to="calibrated")
    b.op("Sigmoid", "calibrated", to="risk")
    b.op("Transpose", "members_code", to="rows_code", perm=[1, 0, 2])
    b.op("Reshape", "rows_code", "flat", to="code")


def _novelty(b: "_Builder") -> None:
    b.op("ReduceMean", "members_rebuilt", to="rebuilt", axes=[0], keepdims=0)
    b.op("Sub", "z", "rebuilt", to="residual")
    b.op("MatMul", "residual", "whitening", to="whitened")
    b.capped_mean("whitened", to="unbuilt")
    b.op("Sub", "z", "usual_centre", to="moved")
    b.op("Div", "moved", "usual_spread", to="deviations")
    b.capped_mean("deviations", to="strayed")
    b.op("Add", "unbuilt", "strayed", to="both_errors")
    b.op("Mul", "both_errors", "half", to="novelty_error")


def _category(b: "_Builder", head: CategoryHead) -> None:
    b.constant("category_words", head.words)
    b.constant("category_wide", head.wide)
    b.constant("category_bias", head.bias)
    # What an answer without words reads: one row of no tokens, for every row of x.
    b.input("words", np.zeros((1, WIDTH), np.int32), rows="m")
    b.constant("axis1", np.array([1], np.int64))
    b.widen("category_words", to="word_weights")
    b.op("Gather", "word_weights", "words", to="of_words")
    b.op("ReduceSum", "of_words", "axis1", to="said", keepdims=0)
    b.op("MatMul", "z", "category_wide", to="shown")
    b.op("Add", "shown", "said", to="both")
    b.op("Add", "both", "category_bias", to="category_logit")
    b.op("Softmax", "category_logit", to="category", axis=-1)
    b.output("category", len(head.bias))


def _constants(parts: Parts, metadata: Metadata) -> dict[str, NDArray[Any]]:
    scalars = {
        "one": 1.0,
        "least": -CLIP,
        "most": CLIP,
        "slope": metadata.calibration.slope,
        "intercept": metadata.calibration.intercept,
        "error_cap": ERROR_CAP,
        "half": 0.5,
    }
    return {
        **{name: np.array(value, np.float32) for name, value in scalars.items()},
        "axis0": np.array([0], np.int64),
        "flat": np.array([-1, _code_width(parts)], np.int64),
        "logarithmic": parts.scaling.logarithmic,
        "mean": parts.scaling.mean,
        "spread": parts.scaling.spread,
        "whitening": parts.ordinary.directions,
        "usual_centre": parts.ordinary.centre,
        "usual_spread": parts.ordinary.spread,
        **parts.weights,
    }


def _code_width(parts: Parts) -> int:
    members, width, _ = parts.weights["head"].shape
    return int(members * width)


class _Builder:
    """Collects operators and constants, and names each operator after what it makes."""

    def __init__(self, onnx: Any) -> None:  # noqa: ANN401  (onnx has no types)
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def op(self, kind: str, *inputs: str, to: str, **attributes: object) -> None:
        node = self._onnx.helper.make_node(kind, list(inputs), [to], name=to, **attributes)
        self._nodes.append(node)

    def layer(self, values: str, weights: str, *, to: str) -> None:
        self.op("MatMul", values, weights, to=f"{to}_product")
        self.op("Add", f"{to}_product", f"{weights}_bias", to=to)

    def silu(self, values: str, *, to: str) -> None:
        self.op("Sigmoid", values, to=f"{to}_gate")
        self.op("Mul", values, f"{to}_gate", to=to)

    def capped_mean(self, values: str, *, to: str) -> None:
        """The mean over a row of its capped squares."""
        self.op("Mul", values, values, to=f"{to}_squares")
        self.op("Min", f"{to}_squares", "error_cap", to=f"{to}_capped")
        self.op("ReduceMean", f"{to}_capped", to=to, axes=[1], keepdims=0)

    def constant(self, name: str, value: NDArray[Any]) -> None:
        self._constants.append(self._onnx.numpy_helper.from_array(value, name))

    def widen(self, values: str, *, to: str) -> None:
        """Any numbers as float32."""
        kind = self._onnx.TensorProto.FLOAT
        node = self._onnx.helper.make_node("Cast", [values], [to], name=to, to=kind)
        self._nodes.append(node)

    def input(self, name: str, default: NDArray[np.int32], *, rows: str) -> None:
        """An input that may be left out: then it is `default`, of the same width."""
        kind = self._onnx.TensorProto.INT32
        shape = [rows, default.shape[1]]
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))
        self.constant(name, default)

    def output(self, name: str, width: int) -> None:
        """One more output, float32 [n, width]."""
        kind = self._onnx.TensorProto.FLOAT
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, kind, ["n", width]))

    def model(self, *, inputs: int, code: int) -> Any:  # noqa: ANN401  (onnx has no types)
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "pullrisk",
            [helper.make_tensor_value_info("x", kind, ["n", inputs]), *self._inputs],
            [
                helper.make_tensor_value_info("risk", kind, ["n"]),
                helper.make_tensor_value_info("novelty_error", kind, ["n"]),
                helper.make_tensor_value_info("code", kind, ["n", code]),
                *self._outputs,
            ],
            self._constants,
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="pullrisk"
        )


def import_onnx() -> Any:  # noqa: ANN401  (the library has no types)
    """The onnx module; raises MissingExtraError where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError.of("onnx", "train") from error
    return onnx
