"""Delivery: once the disk has it, envelopes go to all who are in a room, acknowledgements to those who sent.

Nobody is sent what could still be lost: an envelope goes out after the commit that keeps it, to all in one order.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from masq_relay import frames
from masq_relay.disk.records import Done
from masq_relay.frames import Code, Piece
from masq_relay.rooms.room import Casting, Entry, Member, Part, Posted, Room

Refusal = tuple[Code, str]
"""Why something was not kept, as a code and as a sentence."""

DISK_REFUSAL: Refusal = (Code.DISK_FAILED, "The relay's disk failed; nothing was kept. Try again later.")


class _Answers(NamedTuple):
    """Entries as they are on the wire, one by one, without channels; None where it is nothing.

    `for_all`: for whoever did not send it. `for_own`: for whoever did. `by_author`: which of them each member sent.
    `kept`: whether the disk has them.
    """

    entries: list[Entry]
    for_all: list[Piece | None]
    for_own: list[Piece | None]
    by_author: dict[Member, list[int]]
    kept: bool


def deliver(
    room: Room, entries: list[Entry], now_ms: int, done: Done | None, refusal: Refusal | None = None
) -> tuple[int, int]:
    """Send a room's entries on, and their acknowledgements back. Returns (deliveries, bytes).

    `done` is None where nothing was kept: then posts and parts are refused by `refusal`, and casts go out all the same.
    """
    refused = refusal or DISK_REFUSAL
    answers = _refuse_all(entries, refused) if done is None else _acknowledge(room, entries, now_ms, done)
    _, for_all, for_own, by_author, _ = answers
    shared = [piece for piece in for_all if piece is not None]
    between: list[bytes] = []  # where it is needed: often all who are here have said something
    deliveries = size = 0
    for member in list(room.members):
        if not member.live:
            _to_absent(member, answers)
            continue
        if member.connection.slow:
            # From here on the disk is read as fast as the member reads; what is buffered does not grow.
            _fall_behind(member, answers)
            continue
        if member in by_author:
            own = for_all.copy()
            for index in by_author[member]:
                own[index] = for_own[index]
            pieces = [piece for piece in own if piece is not None]
            data = frames.whole(pieces, member.wire) if pieces else b""
            deliveries += len(pieces)
        else:
            if not between:
                between = frames.seams(shared)
            data = member.wire.join(between) if shared else b""
            deliveries += len(shared)
        member.sent = room.head
        if data:
            size += len(data)
            member.connection.write(data)
    return deliveries, size


def _acknowledge(room: Room, entries: list[Entry], now_ms: int, done: Done) -> _Answers:
    """Number what the disk has now."""
    for_all: list[Piece | None] = []
    for_own: list[Piece | None] = []
    by_author: defaultdict[Member, list[int]] = defaultdict(list)
    part = 0
    for index, entry in enumerate(entries):
        author = entry.member
        by_author[author].append(index)
        if type(entry) is Posted:
            number = room.head = room.head + 1
            for_all.append(frames.envelope(number, now_ms, entry.envelope))
            for_own.append(frames.stored(entry.ref, number))
            if not author.live:
                author.acks[number] = entry.ref
        elif type(entry) is Casting:
            for_all.append(frames.casted(entry.envelope))
            for_own.append(None)
        else:
            assert type(entry) is Part
            for_all.append(None)
            sentence = done.refused.get(part)
            part += 1
            for_own.append(
                frames.refused(Code.SNAPSHOT_REFUSED, sentence, entry.ref)
                if sentence is not None
                else frames.stored(entry.ref, entry.work.incoming.number)
            )
    return _Answers(entries, for_all, for_own, by_author, kept=True)


def _refuse_all(entries: list[Entry], refusal: Refusal) -> _Answers:
    """Refuse what the disk did not keep; a cast was never to be kept."""
    for_all: list[Piece | None] = []
    for_own: list[Piece | None] = []
    by_author: defaultdict[Member, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        by_author[entry.member].append(index)
        if isinstance(entry, Casting):
            for_all.append(frames.casted(entry.envelope))
            for_own.append(None)
        else:
            for_all.append(None)
            for_own.append(frames.refused(*refusal, entry.ref))
    return _Answers(entries, for_all, for_own, by_author, kept=False)


def _fall_behind(member: Member, answers: _Answers) -> None:
    member.live = False
    member.connection.counts["fell_behind_total"] += 1
    if answers.kept:
        number = member.sent
        for entry in answers.entries:
            if type(entry) is Posted:
                number += 1
                if entry.member is member:
                    member.acks[number] = entry.ref
    _to_absent(member, answers)
    member.catch_up(member)


def _to_absent(member: Member, answers: _Answers) -> None:
    """Send a member that reads the disk what it will not find there: others' casts, and answers to its parts."""
    pieces: list[Piece] = []
    for entry, mine, theirs in zip(answers.entries, answers.for_own, answers.for_all, strict=True):
        if entry.member is member:
            if mine is not None and (type(entry) is Part or not answers.kept):
                pieces.append(mine)
        elif type(entry) is Casting and theirs is not None:
            if member.connection.slow:
                member.connection.counts["casts_dropped_total"] += 1
            else:
                pieces.append(theirs)
    if pieces:
        member.connection.write(frames.whole(pieces, member.wire))
