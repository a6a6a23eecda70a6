"""How long `pullrisk --help` takes: whole processes, one after the other."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15
LIMIT = 0.3
COMMANDS = (("--help",), ("score", "--help"), ("--version",))


def main() -> int:
    """Print the table; the exit code is 1 when `--help` is slower than the limit."""
    program = Path(sys.executable).with_name("pullrisk")
    print(f"{'command':<22}{'least':>8}{'median':>8}{'most':>8}   seconds, {RUNS} runs")
    medians = {}
    for arguments in COMMANDS:
        times = sorted(_seconds([str(program), *arguments]) for _ in range(RUNS))
        medians[arguments] = statistics.median(times)
        name = " ".join(("pullrisk", *arguments))
        print(f"{name:<22}{times[0]:>8.3f}{medians[arguments]:>8.3f}{times[-1]:>8.3f}")
    met = medians["--help",] <= LIMIT
    print(f"limit for --help: {LIMIT} s, {'met' if met else 'missed'}")
    return int(not met)


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
