"""`python -m pullrisk` is the command line."""

import sys

from pullrisk.cli import main

sys.exit(main())
