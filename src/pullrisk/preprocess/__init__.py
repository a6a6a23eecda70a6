"""From the pull store to the lake: each repository's events replayed into feature rows.

plan.py      what is new, what has to be rebuilt, what is left alone
replay.py    one repository's replay, the same for every engine
local.py     `preprocess`: the engine of this machine, one commit at the end
pool.py      worker processes of the local engine
report.py    what a run did
"""

from pullrisk.preprocess.local import preprocess
from pullrisk.preprocess.report import PreprocessReport, RepositoryReport

__all__ = ["PreprocessReport", "RepositoryReport", "preprocess"]
