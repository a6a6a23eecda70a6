"""Pull requests from the history of a local clone, read with the git program only.

program.py       runs git on a repository that is not trusted
process.py       one that runs, and its output
log.py           the commits of `git log`
graph.py         how they lie: the branch, and the lines that its merges brought in
messages.py      the pull requests that a commit's message names
choice.py        which of them it merged
clocks.py        when, by the order of the branch
changes.py       the files that commits change
line_history.py  who wrote each line: a fold over patches
saved_lines.py   that between two runs, in a folder
branch_lines.py  read along with the commits of a branch
patch_stream.py  the output of `git log -p`, read piece by piece
patches.py       what commits change line by line
difference.py    what a pull changes, merged or open
open_lines.py    what an open pull does to lines, and whose they are; its hunks for a brief
branches.py      branches that are not merged
open_pulls.py    who the author of an open pull is
history.py       all of this about one stretch of a branch
pulls.py         the record of a pull, merged or of the branch in hand
pushes.py        the records of commits that are no pull
mirror.py        a bare clone of a repository on GitHub, kept and brought up to date
fetch.py         reads a clone into the pull store: `fetch_git`
"""
