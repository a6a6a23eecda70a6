"""The list of what manifests may hold: delivery/admitted.toml."""

import tomllib
from pathlib import Path
from typing import Final

admitted: Final = tomllib.loads(Path(__file__).with_name("admitted.toml").read_text("utf-8"))
"""As the file has it."""
