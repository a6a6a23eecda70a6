"""Progress for people: bars on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.progress import Task as RichTask
from rich.table import Column
from rich.text import Text

from pullrisk.cli.display.console import console, is_dumb, is_terminal
from pullrisk.cli.display.log import json_line, json_lines
from pullrisk.cli.display.plain import plain
from pullrisk.progress import Progress, Silent, Task

LINE_EVERY: Final = 5.0
"""Seconds between two lines of a task without a terminal."""


def progress(*, quiet: bool) -> Progress:
    """The progress display that fits standard error."""
    if quiet:
        return Silent()
    if is_terminal("stderr") and not is_dumb() and not json_lines():
        return Bars()
    return Lines(as_json=json_lines())


class Bars:
    """Bars with done / total, rate and time left, on standard error."""

    def __init__(self, screen: Console | None = None) -> None:
        self._console = screen or console("stderr")
        self._live: RichProgress | None = None

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator[Task]:
        """Show a bar; bars that are opened inside it are shown below it."""
        outermost = self._live is None
        live = self._live or self._start()
        bar = live.add_task(plain(description), total=total, unit=unit)
        try:
            yield _Bar(live, bar)
            live.update(bar, total=live.tasks[live.task_ids.index(bar)].completed)
        finally:
            live.stop_task(bar)
            if outermost:
                self._live = None
                live.stop()

    def _start(self) -> RichProgress:
        self._live = RichProgress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}", markup=False, table_column=_elastic(3)),
            BarColumn(bar_width=None, table_column=_elastic(1)),
            _Done(Column(no_wrap=True)),
            _Rate(Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self._console,
            expand=True,
        )
        self._live.start()
        return self._live


def _elastic(ratio: int) -> Column:
    """A column that gives way where the terminal is narrow: numbers are never cut."""
    return Column(ratio=ratio, no_wrap=True, overflow="ellipsis")


class _Bar:
    def __init__(self, live: RichProgress, bar: TaskID) -> None:
        self._live, self._bar = live, bar

    def advance(self, amount: float = 1) -> None:
        self._live.advance(self._bar, amount)

    def describe(self, description: str) -> None:
        self._live.update(self._bar, description=plain(description))


class _Done(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        return Text(done(task.completed, task.total, unit=task.fields["unit"]), style="dim")


class _Rate(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text(rate(speed, unit=task.fields["unit"]) if speed else "", style="cyan")


class Lines:
    """One line every few seconds on standard error, and one when a task ends."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        every: float = LINE_EVERY,
        write: Callable[[str], object] | None = None,
    ) -> None:
        self._as_json = as_json
        self._every = every
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator[Task]:
        """Write the state of a task every few seconds and when it ends."""
        task = _Line(description, total, unit=unit, every=self._every, emit=self._emit)
        yield task
        task.end()

    def _emit(self, description: str, state: dict[str, object], text: str) -> None:
        if self._as_json:
            self._write(json_line("info", "progress", task=description, **state))
        else:
            self._write(plain(f"{description}: {text}"))


class _Line:
    def __init__(
        self,
        description: str,
        total: float | None,
        *,
        unit: str,
        every: float,
        emit: Callable[[str, dict[str, object], str], None],
    ) -> None:
        self._description, self._total, self._unit = description, total, unit
        self._every, self._emit = every, emit
        self._done = 0.0
        self._start = self._last = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            left = self._left(now)
            self._report(now, f", {timedelta(seconds=round(left))} left" if left else "")

    def describe(self, description: str) -> None:
        self._description = description

    def end(self) -> None:
        now = time.monotonic()
        self._report(now, f", took {now - self._start:.1f} s")

    def _report(self, now: float, tail: str) -> None:
        speed = self._done / max(now - self._start, 1e-9)
        state = {"done": self._done, "total": self._total, "unit": self._unit}
        text = f"{done(self._done, self._total, unit=self._unit)}, {rate(speed, unit=self._unit)}"
        self._emit(
            self._description,
            {**state, "seconds": round(now - self._start, 3), "per_second": round(speed, 3)},
            text + tail,
        )

    def _left(self, now: float) -> float:
        if not self._total or not self._done:
            return 0.0
        return max(self._total - self._done, 0) * (now - self._start) / self._done


def done(completed: float, total: float | None, *, unit: str) -> str:
    """`12,000/200,000 pulls`, or `3.1/4.2 MB` where the unit is bytes."""
    if unit == "bytes":
        size = f"{completed / 1e6:,.1f}"
        return f"{size} MB" if total is None else f"{size}/{total / 1e6:,.1f} MB"
    count = f"{completed:,.0f}"
    return f"{count} {unit}" if total is None else f"{count}/{total:,.0f} {unit}"


def rate(speed: float, *, unit: str) -> str:
    """`11,234 pulls/s`, with a decimal where it is slow."""
    if unit == "bytes":
        return f"{speed / 1e6:,.1f} MB/s"
    return f"{speed:,.0f} {unit}/s" if speed >= 10 else f"{speed:,.1f} {unit}/s"
