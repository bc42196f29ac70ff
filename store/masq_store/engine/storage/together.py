"""Several writes that become durable in one transaction, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from masq.errors import MasqError, QuotaExceeded
from masq_store.core.space.space import Applied
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import Settle, Writer

Operation = Callable[[], Applied]
_Settled: TypeAlias = "asyncio.Future[MasqError | None]"


async def write_together(writer: Writer, operations: Sequence[tuple[OpenSpace, Operation]]) -> None:
    """Do all `operations`, durable on return, or none. Raises what the disk raises, QuotaExceeded first of all.

    What is added to the writer in one run lands in one batch, and so in one transaction. Where a batch does
    not fit, the writer tries its writes one by one: these then refuse, so that no part of them is done.
    """
    done = False
    while not done:
        group = _Group(operations)
        settled: list[_Settled] = [asyncio.get_running_loop().create_future() for _ in operations]
        for at, (space, _) in enumerate(operations):
            writer.add(space, group.operation(at), _settle(settled[at]), group)
        # Not even tried: the writer was going through other writes one by one, so wait and come again.
        done = group.tried
        group.closed = True  # before anything is written: from here on these are tried one by one, if at all
        writer.begin()
        errors = [error for error in await asyncio.gather(*settled) if error]
        if done and errors:
            raise errors[0]


class _Group:
    """The writes of one attempt, and the source that the writer knows them by."""

    def __init__(self, operations: Sequence[tuple[OpenSpace, Operation]]) -> None:
        self.tried = False
        self.closed = False
        self._operations = operations

    def operation(self, at: int) -> Operation:
        def once() -> Applied:
            if self.closed:
                raise QuotaExceeded("this device's storage is full", kind="device")
            self.tried = True
            return self._operations[at][1]()

        return once

    def flush(self) -> None:
        """Do nothing: nobody waits for a message."""


def _settle(settled: _Settled) -> Settle:
    def settle(applied: Applied | None, error: MasqError | None) -> None:
        if not settled.done():
            settled.set_result(error)

    return settle
