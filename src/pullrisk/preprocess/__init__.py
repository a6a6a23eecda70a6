"""From the pull store to the lake: each repository's events replayed into feature rows.

plan.py            what is new, what has to be rebuilt, what is left alone
run.py             one run, whatever engine replays: plan, replay, one commit
replay.py          one repository's replay, the same for every engine
local.py           `preprocess`: this machine, in one process or several
spark.py           `preprocess_spark`: a cluster, and what one task does there
spark_session.py   Spark's settings, and the Java it needs
"""

from pullrisk.preprocess.local import preprocess
from pullrisk.preprocess.replay import RepositoryReport
from pullrisk.preprocess.run import PreprocessReport

__all__ = ["PreprocessReport", "RepositoryReport", "preprocess"]
