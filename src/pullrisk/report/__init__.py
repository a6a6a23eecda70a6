"""One self-contained HTML page about a model and the pull requests it scored."""
