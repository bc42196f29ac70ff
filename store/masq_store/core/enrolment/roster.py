"""An app's roster: the control space beside its data, in which the devices of the profile tell the app's partitions
what these must know. The app cannot reach it.

| key | value |
| --- | --- |
| `app` | `{"approved", "generation", "relay", "devices"}`, see `Facts` |
| `removed/<id>` | `{"ms"}`: the person has taken the data from that partition |
| `policy/<id>` | `{"stay", "minutes", "sync", "turn"}`, see `Policy`: what holds for that partition's browser |

Each may stand under its key followed by `/` and something random, too: the key itself may be unwritable by now.

Partitions hold the roster's secret to read it, so a hostile one can write it; this version does not sign. So what
stands here is a claim. This is the only door to it, what cannot be read counts as not there, and `said` takes the
strictest of all that is said: a roster can take something from a copy, and never give it anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from masq import messages
from masq.errors import MasqError
from masq_store.core.profile.claims import MAX_LOCK_MINUTES
from masq_store.core.profile.registrations import MAX_GENERATION
from masq_store.core.profile.relay_address import check_relay_address

APP, REMOVED, POLICY = "app", "removed/", "policy/"

T = TypeVar("T")


class Facts(NamedTuple):
    """The entry under `app`: for all of its partitions.

    `approved`: may the app keep its data? `generation`: which of its spaces is in use. `relay`: where its devices
    meet, "" for nowhere. `devices`: how many hold its data.
    """

    approved: bool
    generation: int
    relay: str
    devices: int


class Policy(NamedTuple):
    """The person's policy for a browser, as far as it concerns the copies of apps' data there.

    `stay`: may a copy open by itself after a restart? `minutes`: after how many of rest it locks; 0: never. `sync`: may
    it send what is written there to other devices? `turn`: how often the person has locked the store there; a copy that
    was opened before the latest time is locked.
    """

    stay: bool
    minutes: int
    sync: bool
    turn: int

    def with_(self, other: Policy) -> Policy:
        """Return what both allow."""
        least = min(self.minutes or MAX_LOCK_MINUTES + 1, other.minutes or MAX_LOCK_MINUTES + 1)
        return Policy(
            stay=self.stay and other.stay,
            minutes=least if least <= MAX_LOCK_MINUTES else 0,
            sync=self.sync and other.sync,
            turn=max(self.turn, other.turn),
        )


class Said(NamedTuple):
    """A roster as one partition reads it. `facts`, `policy`: None where it says nothing."""

    facts: Facts | None
    policy: Policy | None
    removed: bool


def said(items: Iterable[tuple[str, str]], id: str) -> Said:
    """Return what the (key, text) of a roster say to the partition of that id."""
    facts: Facts | None = None
    policy: Policy | None = None
    removed = False
    for key, text in items:
        subject = subject_of(key)
        if subject == APP and (read := read_facts(text)) is not None:
            facts = read if facts is None else _both(facts, read)
        elif subject == POLICY + id and (found := read_policy(text)) is not None:
            policy = found if policy is None else policy.with_(found)
        elif subject == REMOVED + id:
            removed = removed or read_removed(text) is not None
    return Said(facts, policy, removed)


def _both(one: Facts, other: Facts) -> Facts:
    """Return what two rows say together; the first one's address and count, for neither is stricter than another."""
    approved, generation = one.approved and other.approved, max(one.generation, other.generation)
    return one._replace(approved=approved, generation=generation)


def subject_of(key: str) -> str | None:
    """Return the key that a row is about, without what is random behind it; None for a row of no kind known here."""
    head, _, rest = key.partition("/")
    if head == APP:
        return APP
    return f"{head}/{rest.partition('/')[0]}" if f"{head}/" in (REMOVED, POLICY) else None


def prefixes(id: str) -> tuple[str, ...]:
    """Return what the keys of all rows begin with that say something to a partition."""
    return APP, POLICY + id, REMOVED + id


def read_facts(text: str | None) -> Facts | None:
    """Return what stands under `app`; None where nothing does, or nothing that can be read."""
    entry = _fields(text, Facts)
    if entry is None or type(entry.approved) is not bool:
        return None
    if not _is_count(entry.generation, MAX_GENERATION) or not _is_count(entry.devices, messages.EXACT):
        return None
    try:
        relay = check_relay_address(entry.relay) if entry.relay != "" else ""
    except MasqError:
        return None
    return entry._replace(relay=relay, devices=max(1, entry.devices))


def read_policy(text: str | None) -> Policy | None:
    """Return what stands under `policy/<id>`; None where nothing does, or nothing that can be read."""
    entry = _fields(text, Policy)
    if entry is None or type(entry.stay) is not bool or type(entry.sync) is not bool:
        return None
    fine = _is_count(entry.minutes, MAX_LOCK_MINUTES) and _is_count(entry.turn, messages.EXACT)
    return entry if fine else None


def read_removed(text: str | None) -> int | None:
    """Return what stands under `removed/<id>`: when, in milliseconds since 1970; None where it does not say."""
    entry = messages.decode(text) if text is not None else None
    removed_ms = entry.get("ms") if isinstance(entry, dict) else None
    return removed_ms if _is_count(removed_ms, messages.EXACT) else None


def _fields(text: str | None, kind: type[T]) -> T | None:
    """Return an entry's fields, of whatever types; what a later version says beyond them is left out."""
    entry: Any = messages.decode(text) if text is not None else None
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    if not isinstance(entry, dict) or not entry.keys() >= set(names):
        return None
    return kind(*(entry[name] for name in names))


def _is_count(found: Any, most: int) -> bool:
    return type(found) is int and 0 <= found <= most
