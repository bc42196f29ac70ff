"""Validation of members' messages: a member can say what it likes, and some of it no device that is well would say.

That is left out, and the rest is taken in: a message is one device's, and what others wrote may stand in it.
"""

from __future__ import annotations

from masq_store.core.space.space import Space
from masq_store.core.sync.messages import Changes, State

MOST_UNSEEN = 16_384
"""Replicas in a space's vector from which on a range of another counts only beside a change of it, which those that
were made up do not have."""

MOST_AHEAD_MS = 100 * 365 * 86_400_000
"""How far a stamp may lie ahead of the reader's clock: no clock is a century off by mistake, and nobody comes near the
last stamp that there is, which nothing could follow (docs/decisions/0012)."""


def changes_that_can_be(said: Changes, space: Space, now_ms: int) -> Changes:
    """Return a message without those changes that cannot be. `now_ms`: since 1970, by this device's clock."""
    last = now_ms + MOST_AHEAD_MS
    changes = said.changes
    if any(change.register.stamp.ms > last for change in changes):
        changes = [change for change in changes if change.register.stamp.ms <= last]
    seen = {change.replica for change in changes}
    ranges = [each for each in said.ranges if _may_be(each[0], each[2], space, each[0] in seen)]
    return said._replace(changes=changes, ranges=ranges)


def state_that_can_be(said: State, space: Space, now_ms: int) -> State:
    """Return a part of a snapshot without those rows that cannot be. `now_ms`: as above."""
    last, vector = now_ms + MOST_AHEAD_MS, said.vector
    rows = [row for row in said.rows if row[1] <= last]
    if vector is not None and space.replica in vector:
        most = min(space.vector.get(space.replica, 0), vector[space.replica])
        vector = {**vector, space.replica: most}
    return said._replace(rows=rows, vector=vector)


def _may_be(replica: str, number: int, space: Space, seen: bool) -> bool:
    """Say whether there can be that many changes: a replica alone numbers its own. `seen`: one of them is there."""
    vector = space.vector
    if replica == space.replica:
        return number <= vector.get(replica, 0)
    return seen or replica in vector or len(vector) < MOST_UNSEEN
