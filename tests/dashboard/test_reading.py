"""What several people who look at the same moment are told of the registry."""

import asyncio
from threading import Event

import pytest

from pullrisk.dashboard import reading
from pullrisk.dashboard.reading import RegistryReader
from pullrisk.errors import ModelError
from pullrisk.serve.registry import RegistryContents
from support.processes import PATIENCE


@pytest.fixture(autouse=True)
def pages_wait_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PATIENCE", PATIENCE)


class Registry:
    """Answers, or fails, once it is let go."""

    def __init__(self, error: ModelError | None = None) -> None:
        self.goes_on, self.asked, self._error = Event(), 0, error

    def read(self) -> RegistryContents:
        self.asked += 1
        self.goes_on.wait()
        if self._error is not None:
            raise self._error
        return RegistryContents([], [])


def ask_at_once(registry: Registry, people: int = 3) -> list[object]:
    """What each is told who asks before the registry answers the first."""

    async def ask() -> list[object]:
        reader = RegistryReader(registry.read)
        waiting = [asyncio.create_task(reader.get()) for _ in range(people)]
        await asyncio.sleep(0)  # each of them waits by now
        registry.goes_on.set()
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    return asyncio.run(ask())


def test_all_who_look_at_the_same_moment_are_told_what_is_registered() -> None:
    registry = Registry()
    assert ask_at_once(registry) == [RegistryContents([], [])] * 3
    assert registry.asked == 1


def test_all_who_look_at_the_same_moment_are_told_that_it_cannot_be_read() -> None:
    told = ask_at_once(Registry(ModelError("away")))
    assert [type(each) for each in told] == [ModelError] * 3
