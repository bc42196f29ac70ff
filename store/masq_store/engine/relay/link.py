"""The link to one relay: one connection for all its rooms, made again whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

from masq.errors import MasqError
from masq_store.core.profile.relay_address import check_relay_address
from masq_store.core.relay import frames
from masq_store.core.relay.backoff import wait_seconds
from masq_store.core.relay.frames import Code
from masq_store.engine.ports import Network
from masq_store.engine.relay.connection import LATER, RelayConnection, is_known
from masq_store.engine.trace import OFF, Kind, Trace

IDLE_SECONDS = 5.0
"""How long a connection without a member is kept: the next one is often about to come."""

STEADY_SECONDS = 10.0
"""A connection that lasted so long was a good one, and the failures before it count no more."""


class Lost(NamedTuple):
    """The connection is gone, and the room is joined no more. Posts without STORED may have been kept or not."""


RoomEvent: TypeAlias = frames.OfRoom | Lost
"""What a member hears of its room. The first is `Joined`: from then on it may post. An `Error` says that what was sent
as `ref` was not kept; with 0, that the room was not joined. Such a room is tried again after a while, except by
WRONG_TOKEN and BAD_FRAME: then with the next connection."""


class Member(Protocol):
    """A member of a room, which hears the relay's events: a space's sync, or a pairing.

    What its methods raise puts it out of the room for a while.
    """

    @property
    def room(self) -> bytes:
        """The room's id, 16 bytes."""

    @property
    def token(self) -> bytes:
        """The room's access token, 32 bytes."""

    def cursor(self) -> tuple[int, bytes]:
        """Return number and tag of the last envelope that was read; asked at every joining."""

    def hear(self, event: RoomEvent) -> None:
        """Take what has happened in the room. It does not wait: what takes time is put in a queue."""


class _Place:
    """A member, and where it stands on the present connection."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.channel: int | None = None
        self.joined = False
        self.failures = 0
        self.timer: asyncio.TimerHandle | None = None

    def rest(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RelayLink:
    """The link to one relay: owns the connection, and keeps its members in their rooms, over reconnections too.

    It connects once somebody has entered. Raises BadRelayAddress.

    Args:
        now_ms: the device's clock.
        random: secure random bytes, for what is left to chance in waiting.
        trace: takes note of what happens, here and in the rooms.
    """

    def __init__(
        self,
        network: Network,
        url: str,
        *,
        now_ms: Callable[[], int],
        random: Callable[[int], bytes],
        trace: Trace = OFF,
    ) -> None:
        self.url = check_relay_address(url)
        self.trace = trace
        self.state = "closed"
        """"connecting", "open", "waiting" (before the next try) or "closed" (nobody needs it)."""
        self.problem: MasqError | None = None
        """Why it is not open; None while that is not known."""
        self.offset_ms: int | None = None
        """The relay's clock minus this device's, as of the last WELCOME."""
        self.max_frame = 0
        """Bytes of a frame that the relay takes; 0 before the first WELCOME."""
        self.max_room = 0
        """Bytes that it keeps of a room."""
        self.bad_frames = 0
        """How often a connection was ended because the relay sent what it may not send."""
        self.listeners: list[Callable[[], None]] = []
        """Called when `state`, `problem` or `offset_ms` have changed."""
        self._network = network
        self._now_ms = now_ms
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._places: dict[int, _Place] = {}  # by the member's id()
        self._channels: dict[int, _Place] = {}
        self._last_channel = 0
        self._opening: RelayConnection | None = None
        self._connection: RelayConnection | None = None  # the same, while it is open
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._failures = 0
        self._over = False
        network.on_online(self._online)

    @property
    def waiting(self) -> int:
        """Bytes that were sent and have not been handed to the network yet."""
        return self._connection.waiting if self._connection else 0

    # Members.

    def enter(self, member: Member) -> None:
        """Join the member's room, now if the relay is there, and again after each loss."""
        if self._over or id(member) in self._places:
            return
        place = self._places[id(member)] = _Place(member)
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        self._join(place)

    def leave(self, member: Member) -> None:
        """Leave the room; the member is told nothing from now on."""
        place = self._places.pop(id(member), None)
        if place is None:
            return
        self._put_out(place)
        if not self._places and self._task is not None:
            self._idle = self._loop.call_later(IDLE_SECONDS, self._stop)

    def post(self, member: Member, ref: int, envelope: bytes) -> bool:
        """Have an envelope kept and sent to the others. Returns False where the room is not joined now."""
        size = frames.POST_HEADER + len(envelope)
        return self._send(member, ref, size, lambda channel: frames.post(channel, ref, envelope))

    def snapshot(
        self,
        member: Member,
        ref: int,
        set_: bytes,
        part: int,
        of: int,
        number: int,
        tag: bytes,
        envelope: bytes,
    ) -> bool:
        """Have a part of a snapshot kept. Returns False where the room is not joined now."""
        said = (ref, set_, part, of, number, tag, envelope)
        size = frames.SNAPSHOT_HEADER + len(envelope)
        return self._send(member, ref, size, lambda channel: frames.snapshot(channel, *said))

    def cast(self, member: Member, envelope: bytes) -> bool:
        """Send an envelope to the others who are there. Returns False where the room is not joined now."""
        size = frames.CAST_HEADER + len(envelope)
        return self._send(member, 0, size, lambda channel: frames.cast(channel, envelope))

    def close(self) -> None:
        """End for good. Members that were in their rooms hear that they are lost."""
        self._over = True
        self._stop()
        self._places.clear()

    def _send(self, member: Member, ref: int, size: int, frame: Callable[[int], bytes]) -> bool:
        """Send a frame, made for the room's channel; `size`: its bytes."""
        place = self._places.get(id(member))
        if place is None or place.channel is None or not place.joined or self._connection is None:
            return False
        if size > self.max_frame:  # sent, it would cost the connection
            sentence = f"A frame has at most {self.max_frame} bytes at this relay."
            error = frames.Error(place.channel, ref, Code.FRAME_TOO_LARGE, sentence)
            self._loop.call_soon(self._refuse, place, error)
        else:
            self._connection.send(frame(place.channel))
        return True

    def _refuse(self, place: _Place, error: frames.Error) -> None:
        if self._is_in(place):
            self.trace.note(Kind.REFUSED, channel=error.channel, code=error.code)
            self._call(place.member.hear, error)

    # Rooms.

    def _join(self, place: _Place) -> None:
        if self._connection is None or place.channel is not None:
            return
        place.rest()
        try:
            number, tag = place.member.cursor()
            room, token = place.member.room, place.member.token
        except Exception as error:
            self._report(error)
            self._join_later(place)
            return
        if self._connection is None or not self._is_in(place):  # by its own doing, just now
            return
        if len(self._channels) >= frames.CHANNELS:
            self._join_later(place)
            return
        # Not one that was in use just now: what was sent to its last member may still be on the way.
        channel = (self._last_channel + 1) % frames.CHANNELS
        while channel in self._channels:
            channel = (channel + 1) % frames.CHANNELS
        self._last_channel = place.channel = channel
        self._channels[channel] = place
        self._connection.send(frames.join(channel, room, token, number, tag))

    def _join_later(self, place: _Place) -> None:
        place.failures = max(place.failures + 1, LATER)
        place.rest()
        place.timer = self._loop.call_later(self._wait_seconds(place.failures), self._join, place)

    def _put_out(self, place: _Place) -> None:
        """Leave the room on the present connection."""
        place.rest()
        if place.channel is not None:
            if self._connection is not None:
                self._connection.send(frames.leave(place.channel))
            del self._channels[place.channel]
            place.channel, place.joined = None, False

    # What the relay says.

    def _hear(self, said: frames.Welcome | frames.OfRoom) -> None:
        if isinstance(said, frames.Welcome):
            self._welcome(said)
            return
        place = self._channels.get(said.channel)
        if place is None:  # left meanwhile
            return
        if isinstance(said, frames.Error):
            self._error(place, said)
        elif isinstance(said, frames.Joined) and place.joined:
            self._misbehaved("JOINED came twice")
        elif not isinstance(said, frames.Joined) and not place.joined:
            self._misbehaved("it came before JOINED")
        else:
            place.joined = True
            if self.trace.on:
                self._note(said)
            if self._tell(place, said) and isinstance(said, frames.Current):
                place.failures = 0

    def _note(self, said: frames.OfRoom) -> None:
        match said:
            case frames.Joined(channel, head, others, reset):
                self.trace.note(Kind.JOINED, channel=channel, head=head, others=others, reset=reset)
            case frames.Current(channel, number):
                self.trace.note(Kind.CURRENT, channel=channel, number=number)

    def _error(self, place: _Place, error: frames.Error) -> None:
        if not is_known(error.code):
            error = error._replace(code=Code.DISK_FAILED)
        if place.joined:
            if error.code == Code.NOT_JOINED:
                self._misbehaved("it has forgotten who is there")
            else:
                self._refuse(place, error)
            return
        assert place.channel is not None
        del self._channels[place.channel]
        place.channel = None
        if error.code not in (Code.WRONG_TOKEN, Code.BAD_FRAME):
            self._join_later(place)
        self._refuse(place, error._replace(ref=0))

    def _misbehaved(self, what: str) -> None:
        if self._connection is not None:
            self.trace.note(Kind.MISBEHAVED)
            self._connection.refuse(what)

    def _tell(self, place: _Place, event: RoomEvent) -> bool:
        """Tell a member; one that fails leaves, and is given what it did not take in from its cursor on."""
        if self._call(place.member.hear, event):
            return True
        if self._is_in(place) and place.joined:
            self._put_out(place)
            self._join_later(place)
            self._call(place.member.hear, Lost())
        return False

    def _call(self, call: Callable[..., None], *said: Any) -> bool:
        """Call what is not ours; returns whether it went well."""
        try:
            call(*said)
        except Exception as error:
            self._report(error)
            return False
        return True

    def _is_in(self, place: _Place) -> bool:
        return self._places.get(id(place.member)) is place

    def _report(self, error: Exception) -> None:
        self.trace.note(Kind.MEMBER_FAILED, error=error)
        self._loop.call_exception_handler({"message": f"a member of {self.url} failed", "exception": error})

    # The connection.

    async def _run(self) -> None:
        while True:
            self._set("connecting", self.problem)
            connection = self._opening = RelayConnection(self._network, self.url, self._hear, self._lost)
            began = self._loop.time()
            end = await connection.live()
            if connection.malformed:
                self.bad_frames += 1
            elif self._loop.time() - began >= STEADY_SECONDS:
                self._failures = 0
            self._failures = max(self._failures + 1, end.failures)
            await self._rest(end.problem)

    async def _rest(self, problem: MasqError) -> None:
        self._wake.clear()
        timer = self._loop.call_later(self._wait_seconds(self._failures), self._wake.set)
        self._set("waiting", problem)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _welcome(self, welcome: frames.Welcome) -> None:
        self.max_frame, self.max_room = welcome.max_frame, welcome.max_room
        self.offset_ms = welcome.time_ms - self._now_ms()
        self._connection = self._opening
        self._set("open", None)
        for place in list(self._places.values()):
            self._join(place)

    def _lost(self) -> None:
        self._connection = None
        self._channels.clear()
        places = list(self._places.values())
        were = [place for place in places if place.joined]
        for place in places:
            place.rest()
            place.channel, place.joined = None, False
        for place in were:
            if self._is_in(place):
                self._call(place.member.hear, Lost())

    def _stop(self) -> None:
        self._idle = None
        if self._task is not None:
            if self._opening is not None:
                self._opening.end("this device ended the connection")
            self._task.cancel()
            self._task = self._opening = None
        self._failures = 0
        self._set("closed", None)

    def _online(self) -> None:
        self._failures = 0
        if self.state == "waiting":
            self._wake.set()
        elif self._connection is not None:
            self._connection.check()

    def _set(self, state: str, problem: MasqError | None) -> None:
        if (state, problem) == (self.state, self.problem):
            return
        self.state, self.problem = state, problem
        if self.trace.on:
            error = {} if problem is None else {"error": problem}
            self.trace.note(Kind[state.upper()], failures=self._failures, **error)
        for listener in list(self.listeners):
            self._call(listener)

    def _wait_seconds(self, failures: int) -> float:
        return wait_seconds(failures, int.from_bytes(self._random(4), "big") / 2**32)
