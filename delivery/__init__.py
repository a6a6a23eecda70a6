"""How a commit reaches production: change detection, digests on staging, promotion to main.

`python -m delivery --help` lists the commands. Only `login`, its `app` and `leaks` import pullrisk:
whoever judges a promotion must not be made of what is judged.
"""
