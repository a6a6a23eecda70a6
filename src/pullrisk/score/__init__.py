"""Scores of pull requests from a model and the lake."""
