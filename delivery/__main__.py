"""`python -m delivery`."""

import sys

# The checkout comes last: no file of it is taken for a library, where credentials are at hand.
_ROOT = __file__.rpartition("/delivery/")[0]
sys.path[:] = [*(each for each in sys.path if each not in ("", _ROOT)), f"{_ROOT}/src"]

from delivery.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
