"""Sizes, times and stored values in the form that a person reads."""

import json
from base64 import b64decode
from datetime import datetime
from typing import Any, NamedTuple

from masq_store.ui.text.translation import N_, _, ngettext, number

CUT = 240  # characters of a long value shown before "Show all"
CUT_LINES = 6
BYTES_SHOWN = 16
DECIMAL_BITS = 14_000  # Python writes no more than 4,300 decimal digits
MONTHS = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"), N_("August"),
    N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip
UNITS = (N_("{amount} KB"), N_("{amount} MB"), N_("{amount} GB"))

# Control characters, and those that turn the direction of the text around them: written as escapes.
CONTROL = (*range(32), *range(127, 160))
TURNING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
IN_KEYS = {code: f"\\x{code:02x}" for code in CONTROL} | {code: f"\\u{code:04x}" for code in TURNING}
IN_VALUES = {code: escape for code, escape in IN_KEYS.items() if chr(code) not in "\t\n"}


class Shown(NamedTuple):
    """A stored value ready to be drawn: its `kind` in a word, its `text`, whether that was `cut`."""

    kind: str
    text: str
    cut: bool = False


def size(amount: int) -> str:
    """Return `amount` bytes as "640 bytes", "12 KB" or "3.4 MB" (steps of 1,000)."""
    if amount < 1000:
        return ngettext("{n} byte", "{n} bytes", amount)
    rest: float = amount
    for unit in UNITS:
        rest /= 1000
        if rest < 999.5 or unit is UNITS[-1]:
            break
    return _(unit, amount=number(rest, 1 if rest < 9.95 else 0))


def moment(at_ms: int, now_ms: int) -> str:
    """Return when `at_ms` was, as said at `now_ms` (both milliseconds since 1970, local clock)."""
    seconds = (now_ms - at_ms) / 1000
    if -60 < seconds < 60:
        return _("just now")
    if 0 < seconds < 3600:
        return ngettext("{n} minute ago", "{n} minutes ago", int(seconds // 60))
    then, now = datetime.fromtimestamp(at_ms / 1000), datetime.fromtimestamp(now_ms / 1000)
    days = (now.date() - then.date()).days
    if days == 0:
        return _("today at {clock}", clock=clock(at_ms))
    if days == 1:
        return _("yesterday at {clock}", clock=clock(at_ms))
    return day(at_ms)


def clock(at_ms: int) -> str:
    """Return the time of day of `at_ms`: "14:35"."""
    return f"{datetime.fromtimestamp(at_ms / 1000):%H:%M}"


def span(length_ms: int) -> str:
    """Return a length of time in its largest unit: "3 minutes", "2 hours", "5 days"."""
    minutes = max(1, round(length_ms / 60_000))
    if minutes < 60:
        return ngettext("{n} minute", "{n} minutes", minutes)
    if minutes < 48 * 60:
        return ngettext("{n} hour", "{n} hours", round(minutes / 60))
    return ngettext("{n} day", "{n} days", round(minutes / (24 * 60)))


def day(at_ms: int) -> str:
    """Return the day of `at_ms` as "3 November 2026"."""
    then = datetime.fromtimestamp(at_ms / 1000)
    month = _(MONTHS[then.month - 1])
    if then.day == 1:  # French says "1er"
        return _("1 {month} {year}", month=month, year=then.year)
    return _("{day} {month} {year}", day=then.day, month=month, year=then.year)


def date(at_ms: int) -> str:
    """Return the day of `at_ms` for a file's name: 2026-11-03, the same in every language."""
    return f"{datetime.fromtimestamp(at_ms / 1000):%Y-%m-%d}"


def try_again(seconds: int) -> str:
    """Return how long the reader has to wait; "" for not at all."""
    if not seconds:
        return ""
    return ngettext("You can try again in {n} second.", "You can try again in {n} seconds.", seconds)


def key(text: str) -> str:
    """Return a key with what cannot be seen made visible."""
    return text.translate(IN_KEYS)


def value(packed: Any, whole: bool = False) -> Shown:
    """Return a packed value (see masq.messages) in readable form, cut unless `whole`."""
    kind, text = _kind_and_text(packed)
    text = text.translate(IN_VALUES)
    if whole:
        return Shown(kind, text)
    short = "\n".join(text.split("\n", CUT_LINES)[:CUT_LINES])[:CUT]
    return Shown(kind, short, cut=len(short) < len(text))


def _kind_and_text(packed: Any) -> tuple[str, str]:
    if packed is None:
        return _("nothing"), "null"
    if isinstance(packed, bool):
        return _("yes or no"), "true" if packed else "false"
    if isinstance(packed, str):
        return _("text"), packed
    plain = _plain(packed)
    if isinstance(plain, (int, float, str)):
        return _("number"), str(plain)
    if isinstance(plain, _Raw):
        return _("bytes"), str(plain)
    kind = _("list") if isinstance(plain, list) else _("record")
    return kind, json.dumps(plain, ensure_ascii=False, default=str)


class _Raw:
    """Bytes inside a value: JSON's writer asks for their text by str()."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __str__(self) -> str:
        first = self.content[:BYTES_SHOWN].hex(" ")
        more = " …" if len(self.content) > BYTES_SHOWN else ""
        if not first:
            return size(0)
        return _("{size}: {bytes}", size=size(len(self.content)), bytes=first + more)


def _plain(packed: Any) -> Any:
    """Take the tags off. A tag that is not well formed stays as it is: this only draws."""
    if isinstance(packed, list):
        return [_plain(item) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if len(packed) == 1:
        [(name, inner)] = packed.items()
        try:
            if name == "$bytes":
                return _Raw(b64decode(inner, validate=True))
            if name == "$int":
                number = int(inner, 16)
                return number if number.bit_length() < DECIMAL_BITS else hex(number)
        except (TypeError, ValueError):
            return packed
        if name.startswith("$$"):
            return {name[1:]: _plain(inner)}
    return {name: _plain(inner) for name, inner in packed.items()}
