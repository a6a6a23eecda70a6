"""Pull requests from the history of a local clone, read through the git program only."""
