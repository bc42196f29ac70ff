"""The methods that an app may call, how many arguments each takes, and which rights it needs.

Each is called with the session, the call's number and its arguments, which may be anything. It returns what it gives,
as JSON; work, if it is to be done in parts; or None: then it has replied, or will.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Concatenate, Protocol

from masq import messages
from masq.errors import AccessDenied, Disconnected, MasqError, ProtocolError
from masq_store.core.space.space import Applied, Space
from masq_store.core.space.subspace import Subspace
from masq_store.engine.sessions.access import ALL, Access, Right
from masq_store.engine.sessions.answers import parts
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.watches import Watches, quoted
from masq_store.engine.storage.writer import Writer

MANY = 256
"""A list of more entries is worked on in parts, and so are this many calls' worth of entries of an answer."""

PART_ENTRIES = 64
"""Entries of such a part."""

KEYS_AT_ONCE = 64
"""So many keys become JSON together. With every byte of the longest keys escaped they still fit into a message."""

MAX_WATCHES = 1_000
"""Watches that one session may hold."""

WATCHING: tuple[Right, ...] = ("read", "watch")
"""The rights that a watch needs, for as long as it is open: what it tells is read."""

Work = Generator[None, None, str | None]
"""A call that is done in parts: it stops after each, and returns what it gives; None: that comes later."""

Entries = list[tuple[str, str]]
"""Keys and canonical texts."""


class Session(Protocol):
    """An app's session, as the methods see it. It has access to a space, but for methods `FOR_STRANGERS`."""

    closed: bool
    writer: Writer
    now_ms: Callable[[], int]
    watches: Watches

    access: Access | None

    @property
    def core(self) -> Space | Subspace:
        """The space's map in memory, as far as the app sees it."""

    def reply(self, text: str) -> None:
        """Add a reply, as JSON, to those that are sent together."""

    def reply_list(self, number: int, made: Iterable[tuple[str, bool]]) -> None:
        """Answer a call with a list, given as `answers.parts` makes it."""

    def reply_error(self, number: int, error: MasqError) -> None:
        """Answer a call with an error."""

    def flush(self) -> None:
        """Send the replies that have gathered."""

    def status(self) -> Status:
        """Return what the app may know."""

    @property
    def on_severed(self) -> Callable[[bool], None]:
        """To be called where the app's page cannot reach the store's window, as far as it sees.

        With whether it could before: then the window has closed.
        """


Method = Callable[Concatenate[Session, int, ...], "str | Work | None"]


def _get(session: Session, number: int, key: str) -> str:
    messages.check_key(key)
    text = session.core.text(key)
    return "[]" if text is None else f"[{text}]"


def _get_many(session: Session, number: int, keys: list[str]) -> str | Work | None:
    return _at_once(_found(session, number, _list(keys)), keys)


def _found(session: Session, number: int, keys: list[str]) -> Work:
    yield from _check_keys(keys)
    text = session.core.text
    # Looked up in one go: what an answer shows was there at one moment.
    found = [(key, value) for key, value in zip(keys, map(text, keys), strict=True) if value is not None]
    return (yield from _answer(session, number, found))


def _answer(session: Session, number: int, items: Entries) -> Work:
    """Answer with these keys and texts; nothing of it is sent before all of it is there."""
    texts: list[str] = []
    for some in _few(items):
        texts += [f"[{quoted(key)},{text}]" for key, text in some]
        yield
    made = []
    for part in parts(texts):
        made.append(part)
        yield
    session.reply_list(number, made)
    return None


def _has(session: Session, number: int, key: str) -> str:
    messages.check_key(key)
    return "true" if session.core.has(key) else "false"


def _keys(session: Session, number: int, prefix: str) -> None:
    messages.check_prefix(prefix)
    keys = session.core.keys(prefix)
    some = (keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE))
    session.reply_list(number, parts(messages.dumps(few)[1:-1] for few in some))


def _items(session: Session, number: int, prefix: str) -> str | Work | None:
    messages.check_prefix(prefix)
    items = session.core.items(prefix)
    return _at_once(_answer(session, number, items), items)


def _set(session: Session, number: int, key: str, packed: Any) -> None:
    _write(session, number, _entries([(key, packed)]))


def _update(session: Session, number: int, pairs: list[Any]) -> str | Work | None:
    return _at_once(_checked(pairs, lambda entries: _write(session, number, entries)), pairs)


def _replace(session: Session, number: int, pairs: list[Any]) -> str | Work | None:
    def replace(entries: Entries) -> None:
        core, now = session.core, session.now_ms()
        _add(session, number, lambda: core.replace(entries, now), _nothing)

    return _at_once(_checked(pairs, replace), pairs)


def _checked(pairs: list[Any], write: Callable[[Entries], None]) -> Work:
    """Check all pairs; then write them, in one go."""
    entries: Entries = []
    for part in _few(_list(pairs)):
        entries += _entries(part)
        yield
    write(entries)
    return None


def _delete(session: Session, number: int, keys: list[str]) -> str | Work | None:
    return _at_once(_delete_all(session, number, _list(keys)), keys)


def _delete_all(session: Session, number: int, keys: list[str]) -> Work:
    yield from _check_keys(keys)
    entries = [(key, None) for key in dict.fromkeys(keys)]
    core, now = session.core, session.now_ms()
    _add(session, number, lambda: core.write(entries, now), _count)
    return None


def _clear(session: Session, number: int, prefix: str) -> None:
    messages.check_prefix(prefix)
    core, now = session.core, session.now_ms()
    _add(session, number, lambda: core.clear(prefix, now), _count)


def _increment(session: Session, number: int, key: str, packed: Any) -> None:
    messages.check_key(key)
    by = messages.unpack(packed)
    core, now = session.core, session.now_ms()
    total = "0"

    def operation() -> Applied:
        nonlocal total
        applied = core.increment(key, by, now)
        total = core.text(key) or total  # now: by the time it is durable others may have counted on
        return applied

    _add(session, number, operation, lambda applied: total)


def _flush(session: Session, number: int) -> None:
    core, now = session.core, session.now_ms()

    def flushed(error: MasqError | None) -> None:
        if session.closed:
            return
        if error is None:
            session.reply(f"[{number},null]")
        else:
            session.reply_error(number, error)
        session.flush()

    def settle(applied: Applied | None, error: MasqError | None) -> None:
        if error is None:
            session.writer.flushes.ask(flushed)
        else:
            session.reply_error(number, error)

    assert session.access is not None
    # A write of nothing: settled once all before it are.
    session.writer.add(session.access.space, lambda: core.write([], now), settle, session)


def _watch(session: Session, number: int, prefix: str, initial: bool) -> None:
    messages.check_prefix(prefix)
    if len(session.watches) >= MAX_WATCHES:
        raise ProtocolError(f"a session may hold {MAX_WATCHES} watches; close some first")
    session.watches.add(number, prefix)
    session.reply(f"[{number},null]")
    if initial:
        session.watches.begin(number)


def _unwatch(session: Session, number: int, watch: int) -> str:
    if type(watch) is not int:
        raise ProtocolError("a watch is named by the number of the call that opened it")
    session.watches.drop(watch)
    return "null"


def _status(session: Session, number: int) -> str:
    return messages.dumps(session.status())


def _severed(session: Session, number: int, closed: bool = False) -> str:
    if type(closed) is not bool:
        raise ProtocolError("whether the window has closed is true or false")
    session.on_severed(closed)
    return "null"


def _ping(session: Session, number: int) -> str:
    return "null"


_TABLE: dict[str, tuple[Method, int, int, tuple[Right, ...]]] = {
    "get": (_get, 1, 1, ("read",)),
    "get_many": (_get_many, 1, 1, ("read",)),
    "has": (_has, 1, 1, ("read",)),
    "keys": (_keys, 1, 1, ("read",)),
    "items": (_items, 1, 1, ("read",)),
    "set": (_set, 2, 2, ("write",)),
    "update": (_update, 1, 1, ("write",)),
    "replace": (_replace, 1, 1, ("write", "delete")),
    "delete": (_delete, 1, 1, ("delete",)),
    "clear": (_clear, 1, 1, ("delete",)),
    "increment": (_increment, 2, 2, ("read", "write")),  # it gives the sum
    "flush": (_flush, 0, 0, ()),
    "watch": (_watch, 2, 2, WATCHING),
    "unwatch": (_unwatch, 1, 1, ()),
    "status": (_status, 0, 0, ()),
    "ping": (_ping, 0, 0, ()),
    "severed": (_severed, 0, 1, ()),
}
"""Each method with the least and the most arguments that it takes, and the rights that it needs."""

METHODS: dict[Any, Method] = {name: method for name, (method, _, _, _) in _TABLE.items()}
ARGUMENTS = {name: range(least, most + 1) for name, (_, least, most, _) in _TABLE.items()}
"""How many arguments each takes. Looked at only once a call has failed: Python counts them anyway."""

QUICK = frozenset({"get", "has", "increment", "ping", "set", "severed", "unwatch"})
"""Methods of which several may be carried out between two looks at the clock. Between two long values there is one
all the same: they are read in parts."""

FOR_STRANGERS = ("severed",)
"""What an app may say that the person has not allowed."""


def methods_within(rights: frozenset[Right]) -> dict[Any, Method]:
    """Return `METHODS` as they are for one with these rights: those that need another one refuse every call."""
    if rights == ALL:
        return METHODS
    return {
        name: method if rights.issuperset(needed) else _refusing(needed, rights)
        for name, (method, _, _, needed) in _TABLE.items()
    }


def denied(needed: Sequence[Right], rights: frozenset[Right]) -> AccessDenied:
    """Return the error for what needs a right that is not among `rights`."""
    missing = next(right for right in needed if right not in rights)
    error = AccessDenied()
    error.sentence = f"You have not allowed this app to {missing} here. Nothing was changed."
    return error


def _refusing(needed: Sequence[Right], rights: frozenset[Right]) -> Method:
    def refuse(session: Session, number: int, *arguments: Any) -> None:
        raise denied(needed, rights)

    return refuse


def _write(session: Session, number: int, entries: Entries) -> None:
    core, now = session.core, session.now_ms()
    _add(session, number, lambda: core.write(entries, now), _nothing)


def _add(
    session: Session, number: int, operation: Callable[[], Applied], result: Callable[[Applied], str]
) -> None:
    """Do a write, and reply with what `result` makes of it once it is durable."""

    def settle(applied: Applied | None, error: MasqError | None) -> None:
        if applied is None or error is not None:
            session.reply_error(number, error or Disconnected("the write was not done"))
        else:
            session.reply(f"[{number},{result(applied)}]")

    assert session.access is not None
    session.writer.add(session.access.space, operation, settle, session)


def _nothing(applied: Applied) -> str:
    return "null"


def _count(applied: Applied) -> str:
    return str(sum(1 for before in applied.touched.values() if before is not None))


def _list(argument: Any) -> list[Any]:
    if not isinstance(argument, list):
        raise ProtocolError("a list was expected")
    return argument


def _at_once(work: Work, entries: Any) -> str | Work | None:
    """Return what `work` gives if it has few entries, else the work: for it is to be done in parts."""
    if isinstance(entries, list) and len(entries) > MANY:
        return work
    try:
        while True:
            next(work)
    except StopIteration as done:
        result: str | None = done.value
        return result


def _few(entries: list[Any]) -> Iterator[list[Any]]:
    return (entries[at : at + PART_ENTRIES] for at in range(0, len(entries), PART_ENTRIES))


def _check_keys(keys: list[Any]) -> Generator[None, None, None]:
    for part in _few(keys):
        for key in part:
            messages.check_key(key)
        yield


def _entries(pairs: Sequence[Any]) -> Entries:
    """Return checked (key, canonical text) pairs; all are checked before any is used."""
    entries: Entries = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ProtocolError("a [key, value] pair was expected")
        messages.check_key(pair[0])
        entries.append((pair[0], messages.encode_packed(pair[1])))
    return entries
