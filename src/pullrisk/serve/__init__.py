"""Scores for those who ask: needs no training library."""
