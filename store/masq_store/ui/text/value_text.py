"""A stored value as JSON text that a person may edit, and back.

The text is the packed form of docs/protocol.md, with one ease: whole numbers of any size are written in digits.
Bytes are {"$bytes": "base64"}.
"""

import json
from typing import Any

from masq import messages
from masq.errors import InvalidValue, MasqError
from masq_store.ui.text.formatting import DECIMAL_BITS
from masq_store.ui.text.translation import N_, _, language, number

INDENTED = 60  # characters; longer lists and records are written over several lines

REASONS = {
    "Expecting value": N_("A value is missing here. Text needs double quotes around it."),
    "Expecting property name enclosed in double quotes": N_("A name in double quotes is missing here."),
    "Expecting ':' delimiter": N_("A colon is missing here."),
    "Expecting ',' delimiter": N_("A comma, or the closing bracket, is missing here."),
    "Unterminated string starting at": N_("The text that begins here has no closing double quote."),
    "Invalid control character at": N_("A line break inside a text is written \\n, a tab \\t."),
    "Extra data": N_("The value is complete before this; nothing may follow it."),
    "Illegal trailing comma before end of object": N_("There is a comma too many here."),
    "Illegal trailing comma before end of array": N_("There is a comma too many here."),
}
UNKNOWN = N_("This is not JSON.")


class NotAValue(Exception):
    """The text is no value. `sentence`: what is wrong and where, in the reader's language."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def to_text(packed: Any) -> str:
    """Return a packed value as the text to edit."""
    plain = _digits(packed)
    text = json.dumps(plain, ensure_ascii=False)
    return text if len(text) <= INDENTED else json.dumps(plain, ensure_ascii=False, indent=2)


def from_text(text: str) -> Any:
    """Return the packed value that `text` means. Raises NotAValue."""
    if not text.strip():
        raise NotAValue(_("Type a value first. Text needs double quotes around it."))
    packed = _tagged(_parsed(text))
    try:
        messages.encode_packed(packed)
    except InvalidValue as error:
        raise NotAValue(_invalid(error)) from None
    return packed


def _parsed(text: str) -> Any:
    try:
        return messages.loads(text)
    except MasqError as error:
        if text.count("[") + text.count("{") > messages.MAX_MESSAGE_DEPTH:
            raise NotAValue(_("Too many brackets lie inside one another, or one is not closed.")) from None
        raise NotAValue(_wrong(text) or str(error)) from None


def _wrong(text: str) -> str:
    """Say what is wrong with a text that is no JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        reason = _(REASONS.get(error.msg, UNKNOWN))
        return _(
            "Line {line}, column {column}: {reason}", line=error.lineno, column=error.colno, reason=reason
        )
    except ValueError:
        return _("A number here has too many digits.")
    return _("NaN and Infinity cannot be kept.")


def _invalid(error: InvalidValue) -> str:
    if language() == "en":
        return str(error)
    reason, path = str(error.fields["reason"]), error.fields["path"]
    if "bytes" in reason and "allowed" in reason:
        most = number(messages.MAX_VALUE_BYTES // 1024)
        return _("This value is too large. The most is {most} KB.", most=most)
    if path:
        return _("This cannot be kept; what is wrong is at {path}. Nothing was changed.", path=path)
    return _("This cannot be kept. Nothing was changed.")


def _digits(packed: Any) -> Any:
    """Write large numbers in digits, all else as it is packed."""
    if isinstance(packed, list):
        return [_digits(item) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if len(packed) == 1 and isinstance(packed.get("$int"), str):
        large = int(packed["$int"], 16)
        return large if large.bit_length() < DECIMAL_BITS else packed
    return {name: _digits(item) for name, item in packed.items()}


def _tagged(plain: Any) -> Any:
    """Put the tag on large numbers."""
    if isinstance(plain, list):
        return [_tagged(item) for item in plain]
    if isinstance(plain, dict):
        return {name: _tagged(item) for name, item in plain.items()}
    if type(plain) is int and abs(plain) > messages.EXACT:
        return messages.pack(plain)
    return plain
