"""The whole scorer as one ONNX graph: raw features in, risk, novelty error, code, category out.

The graph is put together operator by operator rather than traced, so it needs no exporter, is
the same bytes for the same weights, and holds nothing that scoring does not use.

The constants are the network's own tensors, a row of members each, which fine-tuning reads back.
What scoring multiplies by, all members side by side in one matrix, is computed from them in the
graph itself: from constants alone, so onnxruntime does it once, when it loads the file. One row
costs two thirds of what it does member by member.
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


def _network(b: "_Builder") -> None:
    b.op("Transpose", "encoder1", to="encoder1_rows", perm=[1, 0, 2])
    b.op("Reshape", "encoder1_rows", "merge_last", to="encoder1_matrix")
    b.apart("encoder2", to="encoder2_matrix")
    b.apart("decoder1", to="decoder1_matrix")
    b.layer("z", "encoder1", to="e1")
    b.silu("e1", to="e1_on")
    b.layer("e1_on", "encoder2", to="e2")
    b.op("Tanh", "e2", to="code")
    b.layer("code", "decoder1", to="d1")
    b.silu("d1", to="d1_on")


def _answers(b: "_Builder") -> None:
    """The mean of the members' logits, calibrated: all of it linear in code and z."""
    b.op("Reshape", "head", "column", to="heads")
    b.op("Mul", "heads", "slope_each", to="head_matrix")
    b.mean_of_members("wide", to="wide_mean")
    b.op("Mul", "wide_mean", "slope", to="wide_matrix")
    b.mean_of_members("bias", to="bias_mean")
    b.op("Mul", "bias_mean", "slope", to="bias_sloped")
    b.op("Add", "bias_sloped", "intercept", to="risk_bias")
    b.op("Gemm", "z", "wide_matrix", "risk_bias", to="wide_logit")
    b.op("Gemm", "code", "head_matrix", "wide_logit", to="logit")
    b.op("Sigmoid", "logit", to="risk_column")
    b.op("Reshape", "risk_column", "row", to="risk")


def _novelty(b: "_Builder") -> None:
    """Both halves of the error beside each other: one square, one cap, one weighted mean."""
    b.op("Reshape", "decoder2", "inputs_last", to="decoder2_rows")
    b.op("Mul", "decoder2_rows", "each", to="decoder2_matrix")
    b.mean_of_members("decoder2_bias", to="rebuilt_bias")
    # (z - rebuilt) @ whitening, with decoder and whitening as one matrix; its sign is squared away.
    b.op("MatMul", "decoder2_matrix", "whitening", to="rebuilt_matrix")
    b.op("MatMul", "rebuilt_bias", "whitening", to="whitened_bias")
    b.op("Neg", "whitening", to="whitening_off")
    b.op("Gemm", "z", "whitening_off", "whitened_bias", to="whitened_inputs")
    b.op("Gemm", "d1_on", "rebuilt_matrix", "whitened_inputs", to="whitened")
    b.op("Sub", "z", "usual_centre", to="moved")
    b.op("Div", "moved", "usual_spread", to="deviations")
    b.op("Concat", "whitened", "deviations", to="oddities", axis=1)
    b.op("Mul", "oddities", "oddities", to="squares")
    b.op("Min", "squares", "error_cap", to="capped")
    b.op("MatMul", "capped", "shares", to="error_column")
    b.op("Reshape", "error_column", "row", to="novelty_error")


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
    b.op("Gemm", "z", "category_wide", "category_bias", to="shown")
    b.op("Add", "shown", "said", to="category_logit")
    b.op("Softmax", "category_logit", to="category", axis=-1)
    b.output("category", len(head.bias))


def _constants(parts: Parts, metadata: Metadata) -> dict[str, NDArray[Any]]:
    members = len(parts.weights["head"])
    inputs, directions = parts.ordinary.directions.shape
    slope = metadata.calibration.slope
    scalars = {
        "one": 1.0,
        "least": -CLIP,
        "most": CLIP,
        "each": 1 / members,
        "slope": slope,
        "slope_each": slope / members,
        "intercept": metadata.calibration.intercept,
        "error_cap": ERROR_CAP,
    }
    shares = [[0.5 / directions]] * directions + [[0.5 / inputs]] * inputs
    shapes = {"row": [-1], "column": [-1, 1], "merge_last": [0, -1], "inputs_last": [-1, inputs]}
    return {
        **{name: np.array(value, np.float32) for name, value in scalars.items()},
        **{name: np.array(value, np.int64) for name, value in shapes.items()},
        "axis2": np.array([2], np.int64),
        **{f"{name}_shape": _blocks(parts.weights[name]) for name in ("encoder2", "decoder1")},
        "own": np.eye(members, dtype=np.float32).reshape(members, 1, members, 1),
        "shares": np.array(shares, np.float32),
        "logarithmic": parts.scaling.logarithmic,
        "mean": parts.scaling.mean,
        "spread": parts.scaling.spread,
        "whitening": parts.ordinary.directions,
        "usual_centre": parts.ordinary.centre,
        "usual_spread": parts.ordinary.spread,
        **parts.weights,
    }


def _blocks(weights: NDArray[np.float32]) -> NDArray[np.int64]:
    members, rows, columns = weights.shape
    return np.array([members * rows, members * columns], np.int64)


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
        self.op("Reshape", f"{weights}_bias", "row", to=f"{weights}_row")
        self.op("Gemm", values, f"{weights}_matrix", f"{weights}_row", to=to)

    def apart(self, weights: str, *, to: str) -> None:
        """One matrix that keeps the members apart: [m, r, c] as m blocks along a diagonal."""
        self.op("Unsqueeze", weights, "axis2", to=f"{weights}_wide")
        self.op("Mul", f"{weights}_wide", "own", to=f"{weights}_blocks")
        self.op("Reshape", f"{weights}_blocks", f"{weights}_shape", to=to)

    def mean_of_members(self, weights: str, *, to: str) -> None:
        self.op("ReduceMean", weights, to=to, axes=[0], keepdims=0)

    def silu(self, values: str, *, to: str) -> None:
        self.op("Sigmoid", values, to=f"{to}_gate")
        self.op("Mul", values, f"{to}_gate", to=to)

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
