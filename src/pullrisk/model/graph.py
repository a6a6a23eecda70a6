"""The whole scorer as one ONNX graph: raw features in; out come risk (and repair and revert, which
it is made of), novelty error, code, category.

The graph is put together operator by operator rather than traced, so it needs no exporter, is
the same bytes for the same weights, and holds nothing that scoring does not use.

The constants are the network's own tensors, a row of members each, which fine-tuning reads back.
What scoring multiplies by, all members side by side in one matrix, is computed from them in the
graph itself: from constants alone, so onnxruntime does it once, when it loads the file. One row
costs two thirds of what it does member by member.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.arrays import Float32, Int64
from pullrisk.errors import needs_extra
from pullrisk.model.category_head import WIDTH, CategoryHead
from pullrisk.model.graph_builder import Builder
from pullrisk.model.metadata import METADATA_KEY, QUESTIONS, Metadata
from pullrisk.model.novelty import ERROR_CAP, LEAST_SHARE, NoveltyStatistics
from pullrisk.model.scaling import CLIP, Scaling


@dataclass(frozen=True, slots=True)
class GraphInputs:
    """What the graph is made of: scaling, the network's weights, what recent pulls look like.

    Without a `category` head the graph has no such output and no input `words`.
    """

    scaling: Scaling
    weights: dict[str, Float32]
    ordinary: NoveltyStatistics
    category: CategoryHead | None = None


def to_onnx(parts: GraphInputs, metadata: Metadata) -> bytes:
    """The serialised ONNX model; raises MissingExtraError where onnx is not installed."""
    onnx = import_onnx()
    builder = Builder(onnx)
    _scale(builder, parts.scaling)
    pieces = "embedding" in parts.weights
    if pieces:
        _pieces(builder, parts.weights["embedding"])
    _network(builder, read="read" if pieces else "z")
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


def _scale(b: Builder, scaling: Scaling) -> None:
    b.op("Abs", "x", to="size")
    b.op("Add", "size", "one", to="size1")
    b.op("Log", "size1", to="log")
    b.op("Sign", "x", to="sign")
    b.op("Mul", "sign", "log", to="compressed")
    b.op("Where", "logarithmic", "compressed", "x", to="values")
    b.op("Sub", "values", "mean", to="centred")
    b.op("Div", "centred", "spread", to="standard")
    b.op("IsNaN", "standard", to="missing")
    b.op("Clip", "standard", "least", "most", to="clipped")
    b.op("Where", "missing", "unknown", "clipped", to="z")


def _pieces(b: Builder, embedding: Float32) -> None:
    """Each input cut into its intervals, embedded, and put beside z for the encoder."""
    inputs, _, width = embedding.shape
    b.constant("nothing", np.array(0.0, np.float32))
    b.constant("embedded_shape", np.array([-1, inputs * width], np.int64))
    b.op("Unsqueeze", "z", "axis2", to="z_alone")
    b.op("Sub", "z_alone", "piece_start", to="above")
    b.op("Mul", "above", "piece_steepness", to="filled")
    b.op("Clip", "filled", "nothing", "one", to="pieces")
    b.op("Transpose", "pieces", to="pieces_each", perm=[1, 0, 2])
    b.op("MatMul", "pieces_each", "embedding", to="embedded_each")
    b.op("Transpose", "embedded_each", to="embedded_rows", perm=[1, 0, 2])
    b.op("Reshape", "embedded_rows", "embedded_shape", to="embedded")
    b.op("Concat", "z", "embedded", to="read", axis=1)


def _network(b: Builder, *, read: str) -> None:
    b.op("Transpose", "encoder1", to="encoder1_rows", perm=[1, 0, 2])
    b.op("Reshape", "encoder1_rows", "merge_last", to="encoder1_matrix")
    b.apart("encoder2", to="encoder2_matrix")
    b.apart("decoder1", to="decoder1_matrix")
    b.layer(read, "encoder1", to="e1")
    b.silu("e1", to="e1_on")
    b.layer("e1_on", "encoder2", to="e2")
    b.op("Tanh", "e2", to="code")
    b.layer("code", "decoder1", to="d1")
    b.silu("d1", to="d1_on")


def _answers(b: Builder) -> None:
    """A column for each question: the mean of its members' logits, calibrated, all of it linear in
    code and z. Risk is the probability of any of the outcomes that the model answers for.
    """
    b.op("Mul", "head", "slopes", to="heads")  # [members, code, questions]
    b.op("Reshape", "heads", "questions_last", to="head_matrix")
    b.op("Mul", "wide", "slopes", to="wides")
    b.sum_of_members("wides", to="wide_matrix")
    b.op("Mul", "bias", "slopes", to="biases")
    b.sum_of_members("biases", to="bias_sloped")
    b.op("Add", "bias_sloped", "intercepts", to="risk_bias")
    b.op("Gemm", "z", "wide_matrix", "risk_bias", to="wide_logit")
    b.op("Gemm", "code", "head_matrix", "wide_logit", to="logit")
    b.op("Sigmoid", "logit", to="chances")
    for place, question in enumerate(QUESTIONS):
        b.constant(f"place_of_{question}", np.array(place, np.int64))
        b.op("Gather", "chances", f"place_of_{question}", to=question, axis=1)
    b.op("Mul", "chances", "answered", to="asked")
    b.op("ReduceSum", "asked", "axis1", to="any_twice", keepdims=0)
    b.op("ReduceProd", "asked", to="both", axes=[1], keepdims=0)
    b.op("Sub", "any_twice", "both", to="risk")


def _novelty(b: Builder) -> None:
    """Both halves of the error beside each other: one square, one cap, one weighted mean of what
    is known.
    """
    b.op("Reshape", "decoder2", "inputs_last", to="decoder2_rows")
    b.op("Mul", "decoder2_rows", "each", to="decoder2_matrix")
    b.op("ReduceMean", "decoder2_bias", to="rebuilt_bias", axes=[0], keepdims=0)
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
    b.widen("missing", to="missing_each")
    b.op("MatMul", "missing_each", "mixed", to="missing_mixed")
    b.op("Concat", "missing_mixed", "missing_each", to="lost", axis=1)
    b.op("Less", "lost", "half", to="told")
    b.op("Where", "told", "capped", "none", to="capped_told")
    b.op("MatMul", "capped_told", "shares", to="error_sum")
    b.op("Where", "told", "one", "none", to="told_each")
    b.op("MatMul", "told_each", "shares", to="told_share")
    b.op("Max", "told_share", "least_share", to="known_share")
    b.op("Div", "error_sum", "known_share", to="error_column")
    b.op("Reshape", "error_column", "row", to="novelty_error")


def _category(b: Builder, head: CategoryHead) -> None:
    b.constant("category_words", head.words)
    b.constant("category_wide", head.wide)
    b.constant("category_bias", head.bias)
    # What an answer without words reads: one row of no tokens, for every row of x.
    b.input("words", np.zeros((1, WIDTH), np.int32), rows="m")
    b.widen("category_words", to="word_weights")
    b.op("Gather", "word_weights", "words", to="of_words")
    b.op("ReduceSum", "of_words", "axis1", to="said", keepdims=0)
    b.op("Gemm", "z", "category_wide", "category_bias", to="shown")
    b.op("Add", "shown", "said", to="category_logit")
    b.op("Softmax", "category_logit", to="category", axis=-1)
    b.output("category", len(head.bias))


def _constants(parts: GraphInputs, metadata: Metadata) -> dict[str, NDArray[Any]]:
    asks = parts.weights["asks"]
    members, questions = asks.shape
    inputs = len(parts.ordinary.directions)
    calibrations = [metadata.calibration[question] for question in QUESTIONS]
    slopes = np.array([each.slope for each in calibrations]) * asks / asks.sum(axis=0)
    scalars = {
        "one": 1.0,
        "least": -CLIP,
        "most": CLIP,
        "each": 1 / members,
        "error_cap": ERROR_CAP,
        "half": 0.5,
        "none": 0.0,
        "least_share": LEAST_SHARE,
    }
    shapes = {
        "row": [-1],
        "questions_last": [-1, questions],
        "merge_last": [0, -1],
        "inputs_last": [-1, inputs],
    }
    return {
        **{name: np.array(value, np.float32) for name, value in scalars.items()},
        **{name: np.array(value, np.int64) for name, value in shapes.items()},
        "axis0": np.array([0], np.int64),
        "axis1": np.array([1], np.int64),
        "axis2": np.array([2], np.int64),
        "slopes": slopes[:, None].astype(np.float32),
        "intercepts": np.array([each.intercept for each in calibrations], np.float32),
        "answered": metadata.answered.astype(np.float32),
        **{f"{name}_shape": _blocks(parts.weights[name]) for name in ("encoder2", "decoder1")},
        "own": np.eye(members, dtype=np.float32).reshape(members, 1, members, 1),
        "shares": parts.ordinary.shares[:, None],
        "logarithmic": parts.scaling.logarithmic,
        "mean": parts.scaling.mean,
        "spread": parts.scaling.spread,
        "whitening": parts.ordinary.directions,
        "mixed": parts.ordinary.mixed,
        "usual_centre": parts.ordinary.centre,
        "usual_spread": parts.ordinary.spread,
        **parts.weights,
    }


def _blocks(weights: Float32) -> Int64:
    members, rows, columns = weights.shape
    return np.array([members * rows, members * columns], np.int64)


def _code_width(parts: GraphInputs) -> int:
    members, width, _ = parts.weights["head"].shape
    return int(members * width)


def import_onnx() -> Any:  # noqa: ANN401  (the library has no types)
    """The onnx module; raises MissingExtraError where it is not installed."""
    with needs_extra("train"):
        import onnx
    return onnx
