"""Which pull requests deserve a second look before they merge.

    import pullrisk

    with pullrisk.open_clone("~/src/project") as clone:
        for score in clone.score(recent=10):
            print(score.number, score.risk, score.band)
        table = clone.features()

Nothing is imported until one of these names is used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pullrisk.api import Clone, Home, Pull, Score, open_clone, open_home, read_pulls

    __version__: str

__all__ = [
    "Clone",
    "Home",
    "Pull",
    "Score",
    "__version__",
    "open_clone",
    "open_home",
    "read_pulls",
]


if not TYPE_CHECKING:  # with it in sight, a type checker would believe in any name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'pullrisk' has no attribute {name!r}")
        if name == "__version__":
            from importlib.metadata import version

            return version("pullrisk")
        from importlib import import_module

        return getattr(import_module("pullrisk.api"), name)

    def __dir__() -> list[str]:
        return __all__
