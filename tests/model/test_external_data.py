"""A model that names other files: none of them is opened."""

from pathlib import Path

import numpy as np
import pytest

from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle

onnx = pytest.importorskip("onnx")


def outside(tmp_path: Path, key: bytes = b"\x0a\x08location") -> bytes:
    """A model whose one tensor lies in another file."""
    from onnx import TensorProto, helper, numpy_helper

    (tmp_path / "secret").write_bytes(b"\0" * 64)
    tensor = numpy_helper.from_array(np.zeros(16, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret")
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [16])
    node = helper.make_node("Identity", ["w"], ["y"])
    graph = helper.make_graph([node], "g", [], [output], [tensor])
    model: bytes = helper.make_model(graph, ir_version=8).SerializeToString()
    return model.replace(b"\x0a\x08location", key)


def test_a_tensor_in_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(outside(tmp_path))
    with pytest.raises(ModelError, match="tensors in other files"):
        Bundle.load(tmp_path / "model.onnx")


@pytest.mark.parametrize("key", [b"\x0a\x88\x00location", b"\x8a\x00\x08location"])
def test_no_other_way_to_write_it_helps(key: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tensors in other files"):
        Bundle.of(outside(tmp_path, key))
