"""Briefs: why a pull is risky, where to look, what is missing, who knows the code.

make.py       the brief of a pull; result.py is what it holds
index.py      a history by file; past.py asks it as of the pull's moment
reasons.py    what moves the risk: facts.py groups the features, sentences.py (line_sentences.py,
              size_sentence.py) tells each group from a case.py
verdict.py    the headline
hotspots.py   the files to look at; ranges.py the lines
missing.py    files that usually change together with the pull's
relief.py     a change to the pull that would lower the risk
reviewers.py  who knows the code
precedents.py what went wrong before
under_way.py  who else works there
sections.py   a brief in reading order; text.py and markdown.py write it
wording.py    counts, ages and shares in words; links.py the addresses
published.py  a brief as lists show it
"""
