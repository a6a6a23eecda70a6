"""Puts an ONNX graph together operator by operator."""

from typing import Any, Final

from numpy.typing import NDArray

from pullrisk.arrays import Int32
from pullrisk.model.metadata import QUESTIONS

OPSET: Final = 17
IR_VERSION: Final = 8
_ANSWERS: Final = ("risk", *QUESTIONS)


class Builder:
    """Collects operators, constants, inputs and outputs."""

    def __init__(self, onnx: Any) -> None:  # noqa: ANN401  (onnx has no types)
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def op(self, kind: str, *inputs: str, to: str, **attributes: object) -> None:
        """One operator, which makes the value `to` and is called so."""
        node = self._onnx.helper.make_node(kind, list(inputs), [to], name=to, **attributes)
        self._nodes.append(node)

    def layer(self, values: str, weights: str, *, to: str) -> None:
        """Values [n, i] times the matrix of `weights` plus its bias, [n, o]."""
        self.op("Reshape", f"{weights}_bias", "row", to=f"{weights}_row")
        self.op("Gemm", values, f"{weights}_matrix", f"{weights}_row", to=to)

    def apart(self, weights: str, *, to: str) -> None:
        """One matrix that keeps the members apart: [m, r, c] as m blocks along a diagonal."""
        self.op("Unsqueeze", weights, "axis2", to=f"{weights}_wide")
        self.op("Mul", f"{weights}_wide", "own", to=f"{weights}_blocks")
        self.op("Reshape", f"{weights}_blocks", f"{weights}_shape", to=to)

    def sum_of_members(self, weights: str, *, to: str) -> None:
        """The sum over the first axis of `weights`."""
        self.op("ReduceSum", weights, "axis0", to=to, keepdims=0)

    def silu(self, values: str, *, to: str) -> None:
        """Each value times its sigmoid."""
        self.op("Sigmoid", values, to=f"{to}_gate")
        self.op("Mul", values, f"{to}_gate", to=to)

    def constant(self, name: str, value: NDArray[Any]) -> None:
        """A constant of that name."""
        self._constants.append(self._onnx.numpy_helper.from_array(value, name))

    def widen(self, values: str, *, to: str) -> None:
        """Any numbers as float32."""
        kind = self._onnx.TensorProto.FLOAT
        node = self._onnx.helper.make_node("Cast", [values], [to], name=to, to=kind)
        self._nodes.append(node)

    def input(self, name: str, default: Int32, *, rows: str) -> None:
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
        """The model that reads x [n, inputs] and whose code is [n, code]."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "pullrisk",
            [helper.make_tensor_value_info("x", kind, ["n", inputs]), *self._inputs],
            [
                *(helper.make_tensor_value_info(name, kind, ["n"]) for name in _ANSWERS),
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
