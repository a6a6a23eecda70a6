"""The record of a pull request, its outcomes, and where pulls are stored."""
