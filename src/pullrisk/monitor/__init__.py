"""Drift of features, scores and outcomes against what a model was trained on."""
