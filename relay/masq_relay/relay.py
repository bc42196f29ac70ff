"""The relay: its rooms, its connections, what they may do, and the one commit at a time that keeps it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from masq_relay import allowance, batches, frames, replay
from masq_relay.age import Age
from masq_relay.arrivals import Arrivals
from masq_relay.certificate import BadCertificate
from masq_relay.certificate_renewal import Certificate
from masq_relay.connection import DISK, STOP, Connection, Joining
from masq_relay.disk import (
    FILE,
    WEEK_MS,
    CannotKeep,
    Disk,
    Done,
    Incoming,
    Kept,
    Page,
    PartWork,
    Reading,
    Work,
)
from masq_relay.event_log import EventLog
from masq_relay.frames import Code
from masq_relay.limits import DELIVERY, Limits
from masq_relay.listener import Listener, bind
from masq_relay.metrics import Metrics
from masq_relay.peers import Peer, Peers, is_loopback
from masq_relay.rooms import DISK_REFUSAL, Casting, Entry, Member, Part, Posted, Refusal, Room
from masq_relay.serial_thread import SerialThread

MOST_ACKS = 4096
"""Acknowledgements that may wait for a member which posts while it does not read."""

EXPIRE_AT_ONCE = 256

TIDYING_SECONDS = 0.5
"""About how long one round of tidying keeps the thread that writes from envelopes, in many small steps."""

SHORT_SECONDS = 0.2
"""Between a refusal because the disk is nearly full and the round of tidying that makes room."""

AGE_SECONDS = 60.0
"""How often the relay's age is put on disk; so much of it a crash may cost."""

new_entry = tuple.__new__
"""Makes a NamedTuple in half the time."""

Batch = list[tuple[Room, list[Entry]]]


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Relay:
    """A relay over an open disk.

    Args:
        disk: what it keeps, and `reading`: the same to read from. They belong to the relay from here on.
        limits: quotas and bounds.
        event_log: where it says what happens.
        clock_ms: the time, in milliseconds since 1970, to tell devices; tests bring their own.
        elapsed: seconds since any moment, by a clock that nobody sets; all that gets older or waits goes by it.
        behind_proxy: whether X-Forwarded-For says who a peer is.
        folder: where the disk's file is, to notice that somebody has taken it away; None does not look.
    """

    def __init__(
        self,
        disk: Disk,
        reading: Reading,
        limits: Limits,
        event_log: EventLog,
        *,
        clock_ms: Callable[[], int] = now_ms,
        elapsed: Callable[[], float] = time.monotonic,
        behind_proxy: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.limits = limits
        self.event_log = event_log
        self.clock_ms = clock_ms
        self.elapsed = elapsed
        self.behind_proxy = behind_proxy
        self.metrics = Metrics()
        self.peers = Peers(limits)
        self.rooms: dict[bytes, Room] = {}
        self.connections: dict[Connection, None] = {}
        self.slow: dict[Connection, None] = {}
        self.unsaved = 0
        self.held = 0
        """Bytes that all connections have taken to read into."""
        self.disk_ok = True
        self.stopping = False
        self.lost = asyncio.Event()
        """Set when the data directory was taken away under the relay: it cannot keep anything any more."""
        self._folder = folder
        self._disk = disk
        self._reading = reading
        self._held: dict[Connection, None] = {}
        self._dirty: dict[Room, None] = {}
        self._committing = False
        self._scheduled = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._expiring: dict[bytes, list[Callable[[], None]]] = {}
        self._sizes = (0, 0)
        self._added = 0
        self._touched: dict[int, int] = {}
        self._short = asyncio.Event()
        """Set when something was refused because the disk is nearly full."""
        self._key = secrets.token_bytes(16)
        self._plenty = limits.store * allowance.ALONE_SHARE
        """Up to so many bytes on the disk any room may grow."""

    # Start and stop.

    async def start(
        self,
        hosts: str | Sequence[str],
        port: int,
        certificate: Certificate | None = None,
        *,
        origins: Sequence[str] = (),
        metrics_port: int | None = None,
    ) -> int:
        """Listen at these addresses. Returns the port, which is a free one where `port` is 0.

        `origins`: pages that may connect. `metrics_port`: a port of this machine's own for the counts, which are
        then not at the other one.

        Raises OSError where it cannot.
        """
        hosts = [hosts] if isinstance(hosts, str) else list(hosts)
        self.loop = asyncio.get_running_loop()
        self._certificate = certificate
        listeners = await bind(hosts, port)
        apart = [] if metrics_port is None else await bind(["127.0.0.1"], metrics_port)
        self._arrivals = Arrivals(self, None if certificate is None else certificate.context)
        local = all(is_loopback(str(each.getsockname()[0])) for each in listeners)
        listener = Listener(self, self._arrivals, local=local, origins=origins, metrics_apart=bool(apart))
        self._write = SerialThread("masq-relay-write", self.loop)
        self._read = SerialThread("masq-relay-read", self.loop)
        self._sizes = await self._write.ask(self._disk.size)
        self._age = Age(await self._write.ask(self._disk.age_ms), self.elapsed)
        self._age_noted = self.elapsed()
        self._tidying = self.loop.create_task(self._tidy_now_and_then())
        for each in listeners:
            self._arrivals.listen(each, listener.answer)
        for each in apart:
            self._arrivals.listen(each, listener.answer_with_counts, plain=True)
        port = int(listeners[0].getsockname()[1])
        fields: dict[str, object] = {"host": hosts[0]} if len(hosts) == 1 else {"hosts": hosts}
        if apart:
            fields["metrics_port"] = self.metrics_port = int(apart[0].getsockname()[1])
        tls = certificate is not None
        self.event_log.write("info", "listening", **fields, port=port, tls=tls, rooms=self._sizes[0])
        return port

    def renew_certificate(self) -> None:
        """Take the certificate's files up as they are now, for connections from now on."""
        if self._certificate is None:
            return
        try:
            self._certificate.renew()
        except BadCertificate as error:
            self.event_log.write("error", "certificate not taken", reason=str(error))
        else:
            self.event_log.write("info", "certificate taken")

    async def stop(self) -> None:
        """Keep what has come, say to all that the relay is stopping, and end. Takes a few seconds at most."""
        self.stopping = True
        self._arrivals.close()
        self._tidying.cancel()
        with suppress(asyncio.CancelledError):
            await self._tidying
        for connection in list(self.connections):
            connection.hold(STOP)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), 10.0)
        for connection in list(self.connections):
            connection.cut(Code.STOPPING, "This relay is stopping. Connect again in a moment.")
        until = self.loop.time() + self.limits.grace
        while self.connections and self.loop.time() < until:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
        self._note_age()
        self._write.end()
        self._read.end()
        self._reading.close()
        self._disk.close()
        self.event_log.write("info", "stopped")

    # Connections.

    def connected(self, connection: Connection) -> None:
        """Take a connection in, or send it away."""
        assert connection.peer is not None
        self.connections[connection] = None
        connection.peer.connections += 1
        self.metrics.counts["connections_total"] += 1
        limits = self.limits
        if self.stopping:
            connection.cut(Code.STOPPING, "This relay is stopping. Connect again in a moment.")
        elif len(self.connections) > limits.connections:
            connection.cut(Code.TOO_MANY_CONNECTIONS, "This relay has all the connections that it takes.")
        elif connection.peer.connections > limits.peer_connections:
            connection.cut(
                Code.TOO_MANY_CONNECTIONS,
                f"Your address has {limits.peer_connections} connections already; this relay takes no more of one.",
            )

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection."""
        if self.connections.pop(connection, self) is self:
            return
        assert connection.peer is not None
        connection.peer.connections -= 1
        connection.peer.held -= connection.held
        self.held -= connection.held
        self._held.pop(connection, None)

    def check_buffers(self, connection: Connection) -> None:
        """Cut a slow reader off where all of them together make too much wait."""
        if sum(each.buffered for each in self.slow) > self.limits.buffers:
            connection.cut(
                Code.TOO_SLOW, "This relay holds too much for slow readers. Connect again and go on."
            )

    def hold_more(self, connection: Connection, size: int) -> None:
        """Count what a connection has taken to read into; where that is too much, end the one that has taken most.

        Of a peer that has too much, or of the one that has most where all together have.
        """
        assert connection.peer is not None
        connection.peer.held += size
        self.held += size
        if connection.peer.held > self.limits.peer_held:
            self._end_largest(connection.peer)
        elif self.held > self.limits.held:
            self._end_largest(self.peers.most_held())

    def _end_largest(self, peer: Peer) -> None:
        own = [each for each in self.connections if each.peer is peer and each.held and not each.dead]
        if own:
            largest = max(own, key=lambda each: each.held)
            sentence = (
                "There are too many large frames on the way from your address. Connect again and go on."
            )
            largest.cut(Code.TOO_FAST, sentence)
            largest.abort()  # its memory is what counts

    # Rooms.

    def join(self, connection: Connection, join: frames.Join) -> None:
        """Look the room up, then let the connection in or say why not."""
        channel = join.channel
        assert connection.peer is not None
        if channel in connection.channels:
            connection.cut(Code.BAD_FRAME, "A room is joined on this channel already.", channel)
            return
        if connection.peer.rooms >= self.limits.peer_rooms:
            sentence = (
                f"Your address has joined {self.limits.peer_rooms} rooms already; this relay allows no more."
            )
            connection.refuse(Code.TOO_MANY_ROOMS, sentence, channel)
            return
        room = self.rooms.get(join.room)
        if room is None:
            if len(self.rooms) >= self.limits.rooms:
                connection.refuse(
                    Code.TOO_MANY_ROOMS, "This relay has all the rooms open that it takes.", channel
                )
                return
            room = self.rooms[join.room] = Room(join.room)
        room.uses += 1
        connection.peer.rooms += 1
        connection.channels[channel] = place = Joining()

        def look_up() -> None:
            self._read.do(
                partial(self._reading.find, join.room, join.number, join.tag),
                partial(self._found, connection, room, join, place),
            )

        if join.room in self._expiring:
            self._expiring[join.room].append(look_up)
        else:
            look_up()

    def _found(
        self,
        connection: Connection,
        room: Room,
        join: frames.Join,
        place: Joining,
        result: tuple[Kept | None, bool] | None,
        failure: Exception | None,
    ) -> None:
        room.uses -= 1
        refusal = self._let_in(connection, room, join, place, result, failure)
        if refusal is not None and connection.channels.get(join.channel) is place:
            del connection.channels[join.channel]
            assert connection.peer is not None
            connection.peer.rooms -= 1
            connection.refuse(*refusal, join.channel)
        self._drop_unused(room)

    def _let_in(
        self,
        connection: Connection,
        room: Room,
        join: frames.Join,
        place: Joining,
        result: tuple[Kept | None, bool] | None,
        failure: Exception | None,
    ) -> tuple[Code, str] | None:
        """Make the connection a member, or return why not."""
        if result is None:
            self._disk_failed("looking up a room", failure)
            return Code.DISK_FAILED, "The relay's disk failed. Try again later."
        if connection.channels.get(join.channel) is not place:
            return Code.NOT_JOINED, "You left before you were in."  # nobody hears it
        kept, known = result
        token = hashlib.sha256(join.token).digest()
        if not room.loaded:
            room.load(kept, token)
            if kept is not None:
                self._touched[kept.id] = kept.touched
        if not hmac.compare_digest(room.token, token):
            return Code.WRONG_TOKEN, "This is not the token that the room was made with."
        if len(room.members) >= self.limits.members:
            return Code.TOO_MANY_CONNECTIONS, f"The room has {self.limits.members} members already."
        peer = connection.peer
        assert peer is not None
        if sum(member.connection.peer is peer for member in room.members) >= self.limits.peer_members:
            sentence = f"Your address has {self.limits.peer_members} connections in this room already."
            return Code.TOO_MANY_CONNECTIONS, sentence
        if any(member.connection is connection for member in room.members):
            return Code.BAD_FRAME, "This connection has joined the room on another channel."
        self._note_who(room, peer, join.token)
        member = Member(connection, join.channel, room, join.number if known else 0)
        room.members[member] = None
        connection.channels[join.channel] = member
        connection.send(frames.joined(join.channel, room.head, len(room.members) - 1, not known))
        connection.charge((len(room.members) - 1) * DELIVERY)
        room.tell_others(member)
        connection.behind(member)
        return None

    def _note_who(self, room: Room, peer: Peer, token: bytes) -> None:
        """Note who makes a room, and that a second address is in it, or one in a second week.

        What the disk has of it tells an address to nobody who lacks the room's token, or this run's key.
        """
        name = peer.name.encode()
        mark = hashlib.blake2s(name, key=token, digest_size=8).digest()
        if room.id is None and room.maker is None:
            room.alone = mark
            room.maker = hashlib.blake2s(name, key=self._key, digest_size=8).digest()
        elif room.alone is not None:
            second_week = room.made is not None and self._age.ms - room.made >= WEEK_MS
            if room.alone != mark or second_week:
                room.alone = None
                self._settle(room)

    def _settle(self, room: Room) -> None:
        if room.id is not None:
            self._write.do(
                partial(self._disk.settle, room.id), partial(self._wrote, "noting who was in a room")
            )

    def leave(self, connection: Connection, channel: int) -> None:
        """Leave one room."""
        place = connection.channels.pop(channel, None)
        if place is None:
            connection.refuse(Code.NOT_JOINED, "No room is joined on this channel.", channel)
            return
        assert connection.peer is not None
        connection.peer.rooms -= 1
        if isinstance(place, Member):
            self._gone(place)

    def leave_all(self, connection: Connection) -> None:
        """Leave every room."""
        places, connection.channels = connection.channels, {}
        if connection.peer is not None:
            connection.peer.rooms -= len(places)
        for place in places.values():
            if isinstance(place, Member):
                self._gone(place)

    def _gone(self, member: Member) -> None:
        member.here = False
        room = member.room
        del room.members[member]
        if room.writer is member:
            self._give_up(room)
        if room.members:
            member.connection.charge(len(room.members) * DELIVERY)
            room.tell_others(member)
        else:
            if room.id is not None:
                self._touch([room.id])
            self._drop_unused(room)

    def _drop_unused(self, room: Room) -> None:
        if room.unused and self.rooms.get(room.key) is room:
            del self.rooms[room.key]
            if room.id is not None:
                self._touched.pop(room.id, None)

    # What members say.

    def post(self, connection: Connection, post: frames.Post) -> None:
        """Let an envelope wait for the next commit."""
        channel, ref, envelope = post
        member = connection.channels.get(channel)
        if type(member) is not Member:
            self._not_joined(connection, channel, ref)
            return
        room = member.room
        length = len(envelope)
        size = length + batches.ENTRY
        weight = room.weight() + size
        if not self._fits(member, weight, size, ref):
            return
        if len(member.acks) >= MOST_ACKS:
            sentence = "You post without reading. Read on until CURRENT first."
            connection.refuse(Code.TOO_FAST, sentence, channel, ref)
            return
        if not self._may_add(member, weight, size, ref):
            return
        connection.charge((len(room.members) - 1) * (size + DELIVERY))
        room.add(new_entry(Posted, (member, ref, envelope)), size, length)
        self._unsaved(connection, size)
        if room not in self._dirty:
            self._wake(room)

    def cast(self, connection: Connection, cast: frames.Cast) -> None:
        """Pass an envelope on, after what waits for the disk before it."""
        member = self._member(connection, cast.channel, 0)
        if member is None:
            return
        room = member.room
        connection.charge((len(room.members) - 1) * (len(cast.envelope) + DELIVERY))
        entry = Casting(member, cast.envelope)
        if room.waiting or room.committing:
            room.add(entry, 0, len(cast.envelope))
            self._unsaved(connection, len(cast.envelope))
            self._wake(room)
        else:
            self._count(*room.deliver([entry], 0, None))

    def snapshot(self, connection: Connection, snapshot: frames.Snapshot) -> None:
        """Let a part of a snapshot wait for the next commit."""
        member = self._member(connection, snapshot.channel, snapshot.ref)
        if member is None:
            return
        room = member.room
        size = len(snapshot.envelope) + batches.ENTRY
        step = self._begin if snapshot.part == 0 else self._go_on
        refusal = step(room, member, snapshot)
        if refusal is not None:
            connection.refuse(Code.SNAPSHOT_REFUSED, refusal, snapshot.channel, snapshot.ref)
            return
        incoming = room.incoming
        assert incoming is not None
        # A snapshot makes room: it may be as large as a room by itself, whatever the log holds.
        # And what it puts in the place of the log counts for nobody's day.
        weight = incoming.bytes + size
        if not self._fits(member, weight, size, snapshot.ref, snapshot=True) or (
            weight > room.weight() and not self._may_add(member, weight, size, snapshot.ref)
        ):
            self._give_up(room)
            return
        incoming.next += 1
        incoming.bytes += size
        if incoming.next > incoming.furthest:
            incoming.touched, incoming.furthest = self.elapsed(), incoming.next
        part = Part(member, snapshot.ref, PartWork(incoming, snapshot.part, snapshot.envelope))
        room.add(part, 0, len(snapshot.envelope))
        self._unsaved(connection, size)
        self._wake(room)

    def _begin(self, room: Room, member: Member, snapshot: frames.Snapshot) -> str | None:
        """Begin a snapshot. Returns why not, or None."""
        going, now = room.incoming, self.elapsed()
        if (
            going is not None
            and room.writer is not member
            and now - going.touched < self.limits.snapshot
            and now - going.since < self.limits.snapshot_whole
        ):
            return "Somebody else is writing a snapshot of this room."
        if room.snapshot is not None and snapshot.number <= room.snapshot.number:
            return f"There is a snapshot up to {room.snapshot.number} already."
        if not 0 < snapshot.number <= room.head:
            return "The envelope that this snapshot ends with is not in the room's log."
        again = going if room.writer is member else None
        if going is not None:
            self._give_up(room)
        room.incoming = Incoming(snapshot.set, snapshot.of, snapshot.number, snapshot.tag, since=now)
        if again is not None:
            room.incoming.touched, room.incoming.furthest = again.touched, again.furthest
            room.incoming.since = again.since
        room.writer = member
        return None

    def _go_on(self, room: Room, member: Member, snapshot: frames.Snapshot) -> str | None:
        incoming = room.incoming
        if incoming is None or room.writer is not member or incoming.set != snapshot.set:
            return "Parts before this one are missing: a snapshot begins with part 0."
        same = (incoming.next, incoming.of, incoming.number, incoming.tag)
        if same != (snapshot.part, snapshot.of, snapshot.number, snapshot.tag):
            expected = incoming.next
            self._give_up(room)
            return f"This is not part {expected} of the snapshot that you began."
        return None

    def _give_up(self, room: Room) -> None:
        """Forget a snapshot under way; what the disk has of it goes after the commits before it."""
        incoming, room.incoming, room.writer = room.incoming, None, None
        if incoming is not None:
            drop = partial(self._disk.drop_incoming, incoming)
            self._write.do(
                partial(_refuse_then, incoming, drop), partial(self._wrote, "forgetting a snapshot")
            )

    def _fits(self, member: Member, weight: int, size: int, ref: int, *, snapshot: bool = False) -> bool:
        """Tell whether a room of then `weight` bytes has its place; refuse what was to come where not."""
        room = member.room
        if weight > self.limits.room:
            sentence = f"The room holds {self.limits.room} bytes, and no more. A snapshot makes room."
        else:
            used = self._sizes[1] + self._added + self.unsaved + size
            if used <= self._plenty:  # nearly always
                return True
            share = allowance.share(
                alone=room.alone is not None,
                made_ms=room.made,
                age_ms=self._age.ms,
                weight=weight,
                snapshot=snapshot,
            )
            if used <= self.limits.store * share:
                return True
            self._short.set()
            sentence = "This relay holds nearly all that it can. Try again later."
        member.connection.refuse(Code.ROOM_FULL, sentence, member.channel, ref)
        return False

    def _may_add(self, member: Member, weight: int, size: int, ref: int) -> bool:
        """Count this in the day of who adds it; refuse it where the day has no more."""
        room, connection = member.room, member.connection
        peer, now = connection.peer, connection.now
        assert peer is not None
        if room.id is None and not room.counted:
            if not peer.made.has(1, now):
                sentence = f"Your address has made {self.limits.new_rooms_peer} rooms today. Try again later."
                member.connection.refuse(Code.TOO_FAST, sentence, member.channel, ref)
                return False
            room.counted = True
        cost = allowance.cost(alone=room.alone is not None, weight=weight, size=size)
        if cost and not peer.kept.has(cost, now):
            sentence = "Your address has added all that one may in a day. Try again later."
            member.connection.refuse(Code.TOO_FAST, sentence, member.channel, ref)
            return False
        return True

    def _member(self, connection: Connection, channel: int, ref: int) -> Member | None:
        """Return who speaks on a channel; None, and an error to the sender, where no room was joined on it."""
        member = connection.channels.get(channel)
        if type(member) is Member:
            return member
        self._not_joined(connection, channel, ref)
        return None

    def _not_joined(self, connection: Connection, channel: int, ref: int) -> None:
        waiting = (
            "Wait for JOINED." if channel in connection.channels else "No room is joined on this channel."
        )
        connection.refuse(Code.NOT_JOINED, waiting, channel, ref)

    def _unsaved(self, connection: Connection, size: int) -> None:
        """Count what waits for the disk, and read no more from whoever has too much of it."""
        everyone = self.unsaved = self.unsaved + size
        own = connection.unsaved = connection.unsaved + size
        if own > self.limits.unsaved or everyone > self.limits.unsaved_all:
            connection.hold(DISK)
            self._held[connection] = None

    # Commits.

    def _wake(self, room: Room) -> None:
        self._dirty[room] = None
        if not self._scheduled and not self._committing:
            # At the end of this turn of the loop, so that what came together is kept together.
            self._scheduled = True
            self._idle.clear()
            self.loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._scheduled = False
        batch: Batch = []
        works: list[Work] = []
        age = self._age.ms
        for room in self._dirty:
            entries, work = room.take(age)
            batch.append((room, entries))
            works.append(work)
        self._dirty = {room: None for room, _ in batch if room.waiting}
        self._committing = True
        now = self.clock_ms()
        began = time.perf_counter()
        self._write.do(
            partial(self._disk.commit, works, now), partial(self._committed, batch, now, age, began)
        )

    def _committed(
        self,
        batch: Batch,
        now: int,
        age: int,
        began: float,
        dones: list[Done | Exception] | None,
        failure: Exception | None,
    ) -> None:
        self._committing = False
        self.metrics.seconds += time.perf_counter() - began
        if dones is None:
            self._disk_failed("keeping envelopes", failure)
            self.metrics.counts["commits_failed_total"] += 1
        else:
            self.disk_ok = True
            self.metrics.counts["commits_total"] += 1
        for index, (room, entries) in enumerate(batch):
            done, refusal = self._outcome(dones[index]) if dones is not None else (None, None)
            if done is None:
                self._give_back(room, entries)
                room.fail(entries)
            else:
                before, was_new = room.total, room.id is None
                room.settle(entries, done, age)
                if was_new and room.alone is None:  # somebody came while it was written
                    self._settle(room)
                self._added += done.total - before
                self.metrics.counts["snapshots_total"] += done.snapshot is not None
            self._save_counts(entries, done is not None)
            self._count(*room.deliver(entries, now, done, refusal))
            if not room.members:
                if room.id is not None and done is not None:
                    self._touch([room.id])
                self._drop_unused(room)
        self._let_go()
        if self._dirty:
            self._hand_over()
        else:
            self._idle.set()

    def _outcome(self, result: Done | Exception) -> tuple[Done | None, Refusal | None]:
        """Return what came of one room's part of a commit that went through, or why its members are refused."""
        if isinstance(result, Done):
            return result, None
        if isinstance(result, CannotKeep):
            return None, (Code.ROOM_FULL, str(result))
        self.event_log.write("error", "room failed", failure=str(result), kind=type(result).__name__)
        self.metrics.counts["rooms_failed_total"] += 1
        return None, None

    def _give_back(self, room: Room, entries: list[Entry]) -> None:
        """Take what was not kept out of the day of who wanted to add it."""
        for entry in entries:
            peer = entry.member.connection.peer
            if type(entry) is Posted and peer is not None:
                size = len(entry.envelope) + batches.ENTRY
                cost = allowance.cost(alone=room.alone is not None, weight=room.weight(), size=size)
                peer.kept.give_back(cost)

    def _save_counts(self, entries: list[Entry], kept: bool) -> None:
        count = size = saved = 0
        for entry in entries:
            if type(entry) is Posted:
                length = len(entry.envelope)
                weight = length + batches.ENTRY
                count += 1
                size += length
            elif type(entry) is Part:
                weight = len(entry.work.envelope) + batches.ENTRY
                self._added += weight if kept else 0
            else:
                assert type(entry) is Casting
                weight = len(entry.envelope)
            saved += weight
            entry.member.connection.unsaved -= weight
        self.unsaved -= saved
        if kept:
            self.metrics.counts["envelopes_stored_total"] += count
            self.metrics.counts["bytes_stored_total"] += size

    def _let_go(self) -> None:
        """Read on from those whose posts are on disk now."""
        if not self._held or self.unsaved > self.limits.unsaved_all // 2:
            return
        for connection in list(self._held):
            if connection.unsaved <= self.limits.unsaved // 2:
                del self._held[connection]
                connection.release(DISK)

    def _count(self, deliveries: int, size: int) -> None:
        self.metrics.counts["deliveries_total"] += deliveries
        self.metrics.counts["bytes_out_total"] += size

    def _disk_failed(self, doing: str, failure: Exception | None) -> None:
        self.disk_ok = False
        self.event_log.write(
            "error", "disk failed", doing=doing, failure=str(failure), kind=type(failure).__name__
        )

    def _wrote(self, doing: str, _: object, failure: Exception | None) -> None:
        if failure is not None:
            self._disk_failed(doing, failure)

    # Reading on.

    def read_on(self, member: Member, then: Callable[[bytes], None]) -> None:
        """Read what comes next for a member, and call `then` with its messages."""

        def done(page: Page | None, failure: Exception | None) -> None:
            if not member.here:  # and its room may be gone
                then(b"")
                return
            if page is None:
                self._disk_failed("reading a log", failure)
                member.connection.cut(*DISK_REFUSAL)
                then(b"")
                return
            messages, count = replay.messages(member, page)
            self.metrics.counts["replayed_total"] += count
            self.metrics.counts["bytes_out_total"] += len(messages)
            then(messages)

        self._read.do(replay.next_read(member, self._reading), done)

    # Now and then.

    async def _tidy_now_and_then(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._short.wait(), self.limits.tidy)
                await asyncio.sleep(min(SHORT_SECONDS, self.limits.tidy))
            self._short.clear()
            try:
                await self.tidy()
            except Exception as failure:  # whatever it was this time, there is a next time
                self._disk_failed("tidying", failure)

    async def tidy(self) -> None:
        """Cut off who has stopped reading, forget idle rooms, and delete what nobody needs."""
        now = time.monotonic()
        if self.elapsed() - self._age_noted >= AGE_SECONDS:
            self._note_age()
        for connection in list(self.slow):
            if now - connection.slow_since >= self.limits.stalled:
                connection.cut(Code.TOO_SLOW, "You do not read what you are sent. Connect again and go on.")
        self.peers.forget(now)
        if self._certificate is not None and self._certificate.changed:
            self.renew_certificate()
        if self._folder is not None and not (self._folder / FILE).exists():
            self.event_log.write("error", "data directory is gone")
            self.disk_ok = False
            self.lost.set()
            return
        used = [room.id for room in self.rooms.values() if room.members and room.id is not None]
        self._touch(used)
        until = time.monotonic() + TIDYING_SECONDS
        while await self._expire() and time.monotonic() < until:
            pass
        if await self._sweep(until) and await self._make_room():
            await self._sweep(until + TIDYING_SECONDS)
        self._sizes, self._added = await self._write.ask(self._disk.size), 0

    async def _sweep(self, until: float) -> bool:
        """Delete what nobody needs. Returns whether that was all, or whether time was up before."""
        while await self._write.ask(self._disk.sweep):
            if time.monotonic() >= until:
                return False
        return True

    async def _make_room(self) -> bool:
        """Where the disk is nearly full, forget rooms of one address each. Returns whether any were forgotten."""
        store = self.limits.store
        self._sizes, self._added = await self._write.ask(self._disk.size), 0
        used = self._sizes[1] + self.unsaved
        if used < store * allowance.ALONE_SHARE - self.limits.frame:
            return False
        needed = int(used - store * allowance.ROOM_MADE_SHARE)
        chosen = await self._write.ask(lambda: allowance.who_makes_way(self._disk.all_alone(), needed))
        for each in chosen:
            room = self.rooms.get(each.key)
            if room is not None and room.loaded and room.alone is None:
                continue  # somebody came from elsewhere meanwhile
            for member in list(room.members if room is not None else ()):
                sentence = (
                    "This relay needed the place, and only your address was ever in this room. Connect again."
                )
                member.connection.cut(Code.ROOM_FULL, sentence)
        # What waits for the disk yet is forgotten the next time.
        free = [(each.id, each.key) for each in chosen if each.key not in self.rooms]
        if free:
            await self._forget(free)
            self.metrics.counts["rooms_made_way_total"] += len(free)
            self.event_log.write("warning", "rooms made way", count=len(free))
        return bool(free)

    def _note_age(self) -> None:
        self._age_noted = self.elapsed()
        self._write.do(
            partial(self._disk.grow_older, self._age.ms), partial(self._wrote, "noting the relay's age")
        )

    def _touch(self, rooms: list[int]) -> None:
        """Note that these are in use, where that was last noted a good while ago."""
        now = self._age.ms
        # A tenth of the retention, at most an hour: that much earlier than promised a room may go.
        while_ms = min(3_600_000, self.limits.retention * 100)
        old = [id for id in rooms if now - self._touched.get(id, -while_ms) >= while_ms]
        if old and self.disk_ok:
            self._touched.update((id, now) for id in old)
            self._write.do(partial(self._disk.touch, old, now), partial(self._wrote, "noting use"))

    async def _expire(self) -> bool:
        """Forget some of the rooms that nobody joined for the retention. Returns whether there may be more."""
        before = self._age.ms - self.limits.retention * 1000
        idle = await self._write.ask(partial(self._disk.idle, before, EXPIRE_AT_ONCE))
        chosen = [(id, key) for id, key in idle if key not in self.rooms]
        if not chosen:
            return False
        await self._forget(chosen)
        self.metrics.counts["rooms_expired_total"] += len(chosen)
        self.event_log.write("info", "rooms expired", count=len(chosen))
        return len(idle) == EXPIRE_AT_ONCE

    async def _forget(self, chosen: list[tuple[int, bytes]]) -> None:
        """Forget rooms (id, key) that nobody is in, and all that they keep. Raises DiskFailed."""
        for _, key in chosen:
            self._expiring[key] = []  # who joins meanwhile waits, and finds it gone
        try:
            await self._write.ask(partial(self._disk.forget, [id for id, _ in chosen]))
        finally:
            for _, key in chosen:
                for look_up in self._expiring.pop(key):
                    look_up()

    def gauges(self) -> dict[str, float]:
        """Return what /metrics shows beside the counts."""
        return {
            "log_lines_lost": self.event_log.lost,
            "connections": len(self.connections),
            "peers": len(self.peers),
            "arriving": self._arrivals.count,
            "held_bytes": self.held,
            "rooms_open": len(self.rooms),
            "rooms_stored": self._sizes[0],
            "disk_bytes": self._sizes[1] + self._added,
            "unsaved_bytes": self.unsaved,
            "waiting_bytes": sum(each.buffered for each in self.slow),
            "disk_ok": int(self.disk_ok),
        }


def _refuse_then(incoming: Incoming, drop: Callable[[], None]) -> None:
    # On the writing thread: parts that still wait for a later commit find it refused.
    incoming.refused = True
    drop()
