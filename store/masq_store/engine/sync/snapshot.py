"""A snapshot on its way to the relay: all of a space, in parts, so that the room's log can be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from masq.errors import MasqError
from masq_store.core.crypto import key_schedule
from masq_store.core.space.register import Row, parts_size
from masq_store.core.sync.envelope import Header
from masq_store.core.sync.machine import CHANGE_BYTES, MOST_NAMED, PIECE_BYTES
from masq_store.core.sync.messages import State
from masq_store.engine.ports import Crypto
from masq_store.engine.relay.link import Member, RelayLink
from masq_store.engine.sync.room_keys import RoomKeys

FIRST_REF = 1 << 31
"""Refs of parts are above all refs of posts."""

SET_BYTES = 8

MOST_PARTS = 2
"""Parts of a counter that cross in one row, where all of them are too much: each may be as long as a value."""

NO_TAG = bytes(key_schedule.TAG_BYTES)

ANSWER_SECONDS = 30.0
"""How long the relay may take to keep a part."""


class Snapshot:
    """A snapshot: what a space held when its replica had read the log up to `number`, whose tag was `tag`.

    `sealed`: whether a member has sealed the envelope there. Where none has, readers get a tag that no log has, so that
    they take no other log for this one: see `RoomLog.pass_over`.
    """

    def __init__(
        self, rows: list[Row], vector: dict[str, int], number: int, tag: bytes, *, sealed: bool
    ) -> None:
        self.number = number
        slices = list(_slices(rows))
        said = tag if sealed else NO_TAG
        named = list(vector.items())
        vectors = [dict(named[at : at + MOST_NAMED]) for at in range(0, max(1, len(named)), MOST_NAMED)]
        self._states = [State(piece, number, said, None) for piece in slices[:-1]]
        self._states.append(State(slices[-1], number, said, vectors[0]))
        self._states += [State([], number, said, more) for more in vectors[1:]]
        self._tag = tag
        self._answer: asyncio.Future[bool] | None = None
        self._ref = FIRST_REF
        self._task: asyncio.Task[None] | None = None

    def start(
        self,
        member: Member,
        link: RelayLink,
        room_keys: RoomKeys,
        crypto: Crypto,
        sender: str,
        done: Callable[[Snapshot, bool], None],
    ) -> None:
        """Send it, one part after the other; then `done(self, whether it is in place)`."""

        async def send() -> None:
            whole = False
            try:
                whole = await self._send(member, link, room_keys, crypto, sender)
            except (TimeoutError, MasqError):
                pass  # the log stays as long as it is: nothing depends on this
            finally:
                done(self, whole)

        self._task = asyncio.get_running_loop().create_task(send())

    def end(self) -> None:
        """Stop sending; what the relay has of it is never put in place."""
        if self._task is not None:
            self._task.cancel()

    def answered(self, ref: int, kept: bool) -> bool:
        """Note that a part is on the relay's disk, or was not taken, as when somebody else is writing a snapshot.

        Returns False where `ref` is not a part's.
        """
        if ref == self._ref and self._answer is not None and not self._answer.done():
            self._answer.set_result(kept)
        return ref >= FIRST_REF

    async def _send(
        self, member: Member, link: RelayLink, room_keys: RoomKeys, crypto: Crypto, sender: str
    ) -> bool:
        # A session of its own: readers of the log must not find that counters are missing.
        session = crypto.random(key_schedule.RUN_BYTES)
        set_ = crypto.random(SET_BYTES)
        for part, state in enumerate(self._states):
            envelope = await room_keys.seal(Header(room_keys.epoch, sender, session, part), state)
            self._ref = FIRST_REF + part
            self._answer = asyncio.get_running_loop().create_future()
            if not link.snapshot(
                member, self._ref, set_, part, len(self._states), self.number, self._tag, envelope
            ):
                return False
            async with asyncio.timeout(ANSWER_SECONDS):
                if not await self._answer:
                    return False
        return True


def _slices(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield the rows in slices of a bearable size; at least one, which may be empty."""
    found: list[Row] = []
    size = 0
    for row in rows:
        for piece in _pieces(row):
            cost = CHANGE_BYTES + len(piece[0]) + len(piece[5] or "") + parts_size(piece[6])
            if found and size + cost > PIECE_BYTES:
                yield found
                found, size = [], 0
            found.append(piece)
            size += cost
    yield found


def _pieces(row: Row) -> Iterator[Row]:
    """Yield a row, or where it has more parts than fit, several with the same base: merged they are the row."""
    parts = row[6]
    if parts_size(parts) <= PIECE_BYTES:
        yield row
        return
    for at in range(0, len(parts), MOST_PARTS):
        yield (*row[:6], parts[at : at + MOST_PARTS])
