"""Reads pull requests from files and git clones into the pull store."""
