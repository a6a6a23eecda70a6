"""Synthetic pull requests for tests of scale, shaped like the bundled sample's.

generate.py   `pulls`: a stream of records, the same for the same numbers and seed
touched.py    which files a pull request touches: old ones by popularity, and new ones
profile.py    the distributions, read from profile.json
fit.py        makes profile.json: `PYTHONPATH=benchmarks python -m synthetic.fit sample/*.jsonl.gz`
rest.py       a record as one line of GitHub's REST JSON

Everything made here is labelled: its owner is `synthetic`, its authors `synthetic-author-N`.
"""

from synthetic.generate import OWNER, pulls
from synthetic.rest import rest_line

__all__ = ["OWNER", "pulls", "rest_line"]
