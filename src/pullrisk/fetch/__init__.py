"""Reads pull requests from GitHub, git clones and files into the pull store."""
