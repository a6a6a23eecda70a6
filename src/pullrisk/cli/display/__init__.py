"""What a command shows: text and tables on standard output, notes and progress on standard error.

console.py   when to use colours; single lines: say, note, warn, fail
plain.py     texts of strangers without what steers a terminal
log.py       every line as a JSON object, where the settings want it
tables.py    tables and JSON
progress.py  bars on a terminal, lines elsewhere
scores.py    scored pull requests
models.py    evaluations, comparisons, the gate's decision, registered versions
"""
