"""Pull requests from the history of a local clone, read with the git program only.

program.py  runs git on a repository that is not trusted
log.py      the commits of `git log`: the branch, and what its merges brought in
pulls.py    the pull request that a commit merged
fetch.py    reads a clone into the pull store: `fetch_git`
"""
