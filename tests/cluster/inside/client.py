"""A client of the service that counts: twenty requests a second, a JSON line each second.

client.py URL BODY_FILE      (the key is in API_KEY)
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path

PAUSE = 0.05
SECONDS = 5.0


def ask(url: str, key: str, body: bytes) -> str:
    """One request, on a connection of its own. Why it failed; empty if it did not."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read()[:200].decode(errors='replace')}"
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    """Ask for ever."""
    url, body, key = sys.argv[1], Path(sys.argv[2]).read_bytes(), os.environ["API_KEY"]
    failures, why, told = 0, "", time.monotonic()
    while ask(url, key, body):  # the first answer: the service comes up, a policy takes hold
        time.sleep(PAUSE)
    for requests in count(1):
        if reason := ask(url, key, body):
            failures, why = failures + 1, f"{time.strftime('%H:%M:%S')} {reason}"
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            line = {"requests": requests, "failures": failures, "last_failure": why}
            print(json.dumps(line), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
