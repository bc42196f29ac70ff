"""An event loop in which waiting takes no time: its clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

DAY = 86_400


class _Skipping(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Instead of waiting for a timer it puts the loop's clock on."""

    seconds = 0.0

    def register(self, *arguments: Any) -> Any:
        assert not self.get_map(), "no socket and no program in virtual time: mark the test real_time"
        return super().register(*arguments)

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen"
        self.seconds += timeout
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop without sockets and threads whose clock jumps to the next timer."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the seconds that have been jumped over."""
        return self._skipping.seconds

    def run_in_executor(self, *arguments: Any) -> Any:
        """Refuse: a thread would take its time."""
        raise AssertionError("no thread in virtual time: mark the test real_time")

    def skip(self, seconds: float) -> None:
        """Put the clock on without doing what is due."""
        self._skipping.seconds += seconds


def skipping(story: Coroutine[Any, Any, Any], most: float = DAY) -> Any:
    """Run a story, and return what it returns. It may take `most` seconds of the loop's clock."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(asyncio.wait_for(story, most))
