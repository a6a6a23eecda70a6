"""pullrisk in a GitHub workflow: scores the pull of an event on the runner, and tells it there."""
