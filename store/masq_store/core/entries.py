"""What may stand in a space, whoever wrote it: rules for registers that come from outside."""

from __future__ import annotations

from collections.abc import Iterable

from masq import messages
from masq_store.core.clock import ZERO
from masq_store.core.register import Row, effective_text, integer

MAX_MS = 2**48  # the year 10889: far beyond any clock, and far from where stamps could no longer be written
MAX_NUMBER = 2**52  # of changes of one replica, and of stamps within one millisecond


def check_rows(rows: Iterable[Row]) -> None:
    """Raise ValueError or a MasqError unless each row is a register as a device of this version writes it.

    Who sealed it is a member, and still nothing is believed: a text that is no value would end the sessions of the
    apps that read it, and a stamp near the end of numbers would leave no room for the next.
    """
    for key, ms, counter, replica, number, text, parts in rows:
        messages.check_key(key)
        if text is not None and messages.encode_packed(messages.loads(text)) != text:
            raise ValueError("not the canonical text of a value")
        if ms > MAX_MS or counter > MAX_NUMBER or number > MAX_NUMBER:
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
