"""The daily quota of an address: counted when it posts, given back where it was not kept."""

from __future__ import annotations

from masq_relay.disk import batches
from masq_relay.frames import Code
from masq_relay.limits import Limits
from masq_relay.rooms import allowance
from masq_relay.rooms.room import Entry, Member, Posted, Room


class DayQuota:
    """The daily quotas of all addresses; what each has left stands in its `Peer`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def charge(self, member: Member, weight: int, size: int, ref: int) -> bool:
        """Count `size` bytes more, in a room of then `weight` bytes, in the day of who adds them.

        Returns whether the day had as much left; refuses what was to come where not.
        """
        room, connection = member.room, member.connection
        peer, now = connection.peer, connection.now
        assert peer is not None
        if room.id is None and not room.counted:
            if not peer.made.has(1, now):
                sentence = (
                    f"Your address has made {self._limits.new_rooms_peer} rooms today. Try again later."
                )
                connection.refuse(Code.TOO_FAST, sentence, member.channel, ref)
                return False
            room.counted = True
        cost = allowance.cost(alone=room.alone is not None, weight=weight, size=size)
        if cost and not peer.kept.has(cost, now):
            sentence = "Your address has added all that one may in a day. Try again later."
            connection.refuse(Code.TOO_FAST, sentence, member.channel, ref)
            return False
        return True

    def give_back(self, room: Room, entries: list[Entry]) -> None:
        """Take what was not kept out of the day of who wanted to add it."""
        for entry in entries:
            peer = entry.member.connection.peer
            if type(entry) is Posted and peer is not None:
                size = len(entry.envelope) + batches.ENTRY
                cost = allowance.cost(alone=room.alone is not None, weight=room.weight(), size=size)
                peer.kept.give_back(cost)
