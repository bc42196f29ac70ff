"""Validation of rows that come from outside: what may stand in a space, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable

from masq import messages
from masq_store.core.space.clock import MAX_COUNTER, MAX_MS, ZERO
from masq_store.core.space.register import Row, effective_text, integer

MAX_NUMBER = 2**52  # of changes of one replica


def check_rows(rows: Iterable[Row]) -> None:
    """Raise ValueError or a MasqError unless each row is a register as a device of this version writes it.

    Who sealed it is a member, and still nothing is believed: a text that is no value would end the sessions of the
    apps that read it, and a stamp near the end of numbers would leave no room for the next.
    """
    texts: list[str] = []
    for key, ms, counter, replica, number, text, parts in rows:
        messages.check_key(key)
        if text is not None:
            texts.append(text)
        if ms > MAX_MS or counter > MAX_COUNTER or number > MAX_NUMBER:
            raise ValueError("a number beyond all that is written")
        if bool(replica) != bool(number) or (not replica and (text is not None or not parts)):
            raise ValueError("only a counter builds on the zero stamp")
        if not replica and (ms, counter) != ZERO[:2]:
            raise ValueError("a stamp is somebody's")
        if parts:
            if text is not None and integer(text) is None:
                raise ValueError("only an int can be counted on")
            if not all(part[0] and 0 < part[1] <= MAX_NUMBER for part in parts):
                raise ValueError("a part of a counter is somebody's")
            messages.check_size(effective_text(text, parts) or "")
    _check_texts(texts)


def _check_texts(texts: list[str]) -> None:
    """Raise unless each is the canonical text of a value. They are parsed as one list: many texts, one parser's start.

    Pieces of texts that make up a list only together are found too: each value is written again by itself.
    """
    values = messages.loads(f"[{','.join(texts)}]")
    if len(values) != len(texts):
        raise ValueError("not the text of one value")
    for text, value in zip(texts, values, strict=True):
        if messages.encode_packed(value) != text:
            raise ValueError("not the canonical text of a value")
