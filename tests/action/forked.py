"""`pullrisk` as the steps of the Action run it, forked from a process that has imported it."""

from typing import Final

PRELOAD: Final = (
    "pullrisk.cli.commands.action",
    "pullrisk.wiring.action_score",
    "pullrisk.wiring.action_tell",
    "pullrisk.wiring.checking",
    "pullrisk.brief.make",
    "pullrisk.fetch.git.fetch",
    "pullrisk.model.general",
)


def main() -> int:
    """Calls to GitHub are repeated as often as ever, without the waits between."""
    import stamina

    from pullrisk.cli import main as pullrisk

    stamina.set_testing(True, attempts=1_000, cap=True)
    return pullrisk()
