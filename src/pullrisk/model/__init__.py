"""The model: network, ONNX bundle, calibration, explanations."""
