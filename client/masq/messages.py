"""Values and messages: how what an app stores becomes JSON, and back.

A value is None, a bool, an int of any size, a finite float, a str, bytes, or lists and str-keyed dicts of
these. JSON lacks three things, and each has a tag, a dict with one key:

    bytes                       {"$bytes": "<base64>"}
    an int beyond ±(2**53 - 1)  {"$int": "<hexadecimal, lower case, maybe a minus>"}  (JavaScript stays exact)
    a dict whose only key starts with "$"    one more "$" in front of that key

`pack` and `unpack` do that; `dumps` and `loads` are JSON for messages; `encode` and `decode` do both at once
and give the one canonical text under which a value is stored.

This file also runs under MicroPython, so it keeps to that subset of Python; `encode` and `encode_packed` need
CPython.
"""

import binascii
import json
import re
import sys

from masq import base64_micropython
from masq.errors import InvalidKey, InvalidValue, ProtocolError

if sys.implementation.name != "micropython":  # it has no typing, and does not evaluate annotations
    from typing import Any

    JsonObject = dict[str, Any]  # a JSON object of whatever form: nobody has looked at what it holds

PROTOCOL = 1  # version of the format between app and store
MAX_KEY_BYTES = 512  # of UTF-8
MAX_VALUE_BYTES = 256 * 1024  # of the canonical text in UTF-8
MAX_DEPTH = 64  # lists and dicts inside one another; [] has depth 1
MAX_MESSAGE_DEPTH = 100  # a value in its envelope, with room to spare

EXACT = 2**53 - 1  # the largest integer that every double holds exactly
SMALL = (MAX_VALUE_BYTES - 2) // 6  # characters that cannot exceed the limit, however they are escaped

_quote: Any = json.dumps  # of one str
_MICROPYTHON = sys.implementation.name == "micropython"


class _Wrong(Exception):
    """Something inside a value is wrong; the walk over it knows where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_key(key: Any) -> None:
    """Raise InvalidKey unless `key` is a non-empty str, at most 512 bytes in UTF-8, no lone surrogates."""
    if type(key) is str and key and len(key) <= 128 and not _odd(key):
        return  # 128 characters are at most 512 bytes
    if not isinstance(key, str):
        raise InvalidKey("a key must be a str, not " + type(key).__name__, key)
    if not key:
        raise InvalidKey("a key must not be empty", key)
    check_prefix(key)


def check_prefix(prefix: Any) -> None:
    """Raise InvalidKey unless `prefix` could be the beginning of a key; "" can, it begins them all."""
    if not isinstance(prefix, str):
        raise InvalidKey("a prefix must be a str, not " + type(prefix).__name__, prefix)
    if _odd(prefix):
        raise InvalidKey("it holds half of a surrogate pair, which is not a character", prefix)
    size = len(prefix.encode())
    if size > MAX_KEY_BYTES:
        raise InvalidKey("it takes " + str(size) + " bytes, " + str(MAX_KEY_BYTES) + " are allowed", prefix)


def pack(value: Any) -> Any:
    """Return `value` as a new structure ready for JSON. Raises InvalidValue(reason, path)."""
    kind = type(value)
    if value is None or kind is bool or (kind is str and not _odd(value)):
        return value
    return _build(value, _pack_one)


def unpack(packed: Any) -> Any:
    """Return the value that `pack` was given. Raises InvalidValue for anything `pack` would not have made."""
    kind = type(packed)
    if packed is None or kind is bool or (kind is str and not _odd(packed)):
        return packed
    return _build(packed, _unpack_one)


def check_size(text: str) -> None:
    """Raise InvalidValue if the JSON text of one packed value takes more than 256 KiB in UTF-8."""
    if len(text) * 4 <= MAX_VALUE_BYTES:
        return
    size = len(text.encode())
    if size > MAX_VALUE_BYTES:
        raise InvalidValue(
            "it takes " + str(size) + " bytes, " + str(MAX_VALUE_BYTES) + " are allowed; it can be stored in "
            "parts, under several keys"
        )


def encode(value: Any) -> str:
    """Return the canonical text of `value`: equal values have equal texts. Raises InvalidValue."""
    kind = type(value)
    if kind is str and len(value) <= SMALL and not _odd(value):
        quoted: str = _quote(value)
        return quoted
    return _canonical(pack(value))


def encode_packed(packed: Any) -> str:
    """Return the canonical text of a packed value, trusting nothing about it. Raises InvalidValue."""
    kind = type(packed)
    if kind is str and len(packed) <= SMALL and not _odd(packed):
        quoted: str = _quote(packed)
        return quoted
    if kind is int and -EXACT <= packed <= EXACT:
        return str(packed)
    unpack(packed)
    return _canonical(packed)


def decode(text: str) -> Any:
    """Return the value with this canonical text. Raises ProtocolError or InvalidValue where it is none."""
    return unpack(loads(text))


def check_depth(text: str) -> None:
    """Raise ProtocolError where a text, or what was cut from its middle, is nested too deeply to be parsed."""
    if text.count("[") + text.count("{") > MAX_MESSAGE_DEPTH:
        _check_depth(text)


def loads(text: Any) -> Any:
    """Return the structure of a JSON text. Raises ProtocolError where it is malformed or too deep."""
    if not isinstance(text, str):
        raise ProtocolError("a message must be text, not " + type(text).__name__)
    if text.count("[") + text.count("{") > MAX_MESSAGE_DEPTH:
        _check_depth(text)
    try:
        return _loads(text)
    except ValueError as error:
        raise ProtocolError("a message is not JSON: " + str(error)) from None


def _build(root: Any, one: Any) -> Any:
    """Return `root` packed or unpacked, as `one` does it for each item. Raises InvalidValue.

    Without recursion, because MicroPython's stack holds few levels. The last container found is filled first,
    so that a list inside itself is found out at 64 levels.
    """
    todo: list[
        Any
    ] = []  # containers to fill: (source, target, trail), a trail being (outer trail, step, level)
    trail: Any = None
    step: Any = None
    opened = 0
    try:
        made = one(root, None, None, todo)
        while todo:
            source, target, trail = todo.pop()
            opened += 1
            step = None
            if opened > MAX_VALUE_BYTES // 2:
                raise _Wrong("it holds more lists and dicts than fit into " + str(MAX_VALUE_BYTES) + " bytes")
            if type(target) is dict:
                alone = len(source) == 1
                for step, item in source.items():
                    name = _name(step)
                    if alone and name[:1] == "$":
                        name = "$" + name if one is _pack_one else name[1:]
                    target[name] = one(item, trail, step, todo)
            else:
                step = 0
                for item in source:
                    target.append(one(item, trail, step, todo))
                    step += 1  # noqa: SIM113 (the step must be known to the except clause)
        return made
    except _Wrong as wrong:
        raise InvalidValue(wrong.reason, _path(trail, step)) from None


def _pack_one(value: Any, trail: Any, step: Any, todo: list[Any]) -> Any:
    """Return one value packed; of a list or dict the beginning, with the rest left in `todo`."""
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is bool or value is None:
        return value
    if isinstance(value, str):
        return _text(_plain_text(value))
    if isinstance(value, int):
        value = int(value)
        return value if -EXACT <= value <= EXACT else {"$int": _hexadecimal(value)}
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, dict):
        return _open({}, value, trail, step, todo)
    if isinstance(value, (list, tuple)):
        return _open([], value, trail, step, todo)
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": _base64(bytes(value))}
    raise _Wrong(
        "a value of type "
        + kind.__name__
        + " is none of None, bool, int, float, str, bytes, list and dict with str keys"
    )


def _unpack_one(packed: Any, trail: Any, step: Any, todo: list[Any]) -> Any:
    """Return one value unpacked; of a list or dict the beginning, with the rest left in `todo`."""
    kind = type(packed)
    if kind is str:
        return _text(packed)
    if kind is bool or packed is None:
        return packed
    if kind is int:
        if -EXACT <= packed <= EXACT:
            return packed
        raise _Wrong("an integer beyond 2**53 - 1 must be sent under $int")
    if kind is float:
        return _number(packed)
    if kind is dict:
        if len(packed) == 1:
            for key in packed:
                if type(key) is str and key[:1] == "$" and key[1:2] != "$":
                    return _untag(key, packed[key])
        return _open({}, packed, trail, step, todo)
    if kind is list:
        return _open([], packed, trail, step, todo)
    raise _Wrong("a value of type " + kind.__name__ + " is not part of a packed value")


def _open(made: Any, source: Any, trail: Any, step: Any, todo: list[Any]) -> Any:
    """Leave a container in `todo` to be filled, and return what will be filled."""
    level = trail[2] + 1 if trail else 1
    if level > MAX_DEPTH:
        raise _Wrong("it is nested more than " + str(MAX_DEPTH) + " deep")
    todo.append((source, made, (trail, step, level)))
    return made


def _name(key: Any) -> str:
    """Return a dict's key as a plain str."""
    if not isinstance(key, str):
        raise _Wrong("a dict's keys must be str, not " + type(key).__name__)
    return _text(key if type(key) is str else _plain_text(key))


def _path(trail: Any, step: Any) -> str:
    """Return where in a value a step is, such as `["a"][3]`."""
    path = _step(step)
    while trail:
        trail, step, _ = trail
        path = _step(step) + path
    return path


def _untag(tag: str, text: Any) -> Any:
    """Return the bytes or the large int under a tag. Only the one form that `pack` makes is taken."""
    if type(text) is str:
        if tag == "$bytes":
            content = _from_base64(text)
            if content is not None:
                return content
        if tag == "$int":
            try:
                number = int(text, 16)
            except ValueError:
                number = 0
            if not -EXACT <= number <= EXACT and _hexadecimal(number) == text:
                return number
    raise _Wrong("the tag " + _step(tag) + " is not known or its content is malformed")


def _text(text: str) -> str:
    if _odd(text):
        raise _Wrong("a str holds half of a surrogate pair, which is not a character")
    return text


def _number(number: float) -> float:
    if number - number != 0:  # only infinities and NaN
        raise _Wrong("a float must be finite")
    return number


def _hexadecimal(number: int) -> str:
    return hex(number)[2:] if number >= 0 else "-" + hex(-number)[2:]


def _step(step: Any) -> str:
    """Return one step of a path, short and safe to print."""
    if step is None:
        return ""
    if isinstance(step, int):
        return "[" + str(step) + "]"
    if not isinstance(step, str) or _odd(step):
        return "[?]"
    return "[" + json.dumps(step if len(step) <= 40 else step[:39] + "…") + "]"


if _MICROPYTHON:

    def _odd(text: str) -> bool:
        """Say whether the text holds a lone surrogate; MicroPython encodes one as ED A0..BF xx."""
        encoded = text.encode()
        at = encoded.find(b"\xed")
        while at >= 0:
            if encoded[at + 1] >= 0xA0:
                return True
            at = encoded.find(b"\xed", at + 1)
        return False

    def _plain_text(text: str) -> str:
        return str(text)

    def dumps(structure: Any) -> str:
        """Return the JSON text of a message: no spaces, characters as they are."""
        return json.dumps(structure, separators=(",", ":"))

    def _canonical(packed: Any) -> str:
        raise NotImplementedError("canonical text needs sorted keys, which MicroPython's JSON cannot give")

    def _check_depth(text: str) -> None:
        """Let everything pass: MicroPython's parser does not recurse."""

    _loads: Any = json.loads
    _base64, _from_base64 = base64_micropython.encode, base64_micropython.decode

else:

    def _base64(content: bytes) -> str:
        return binascii.b2a_base64(content, newline=False).decode()

    def _from_base64(text: str) -> Any:
        """Return the bytes that `_base64` makes this text of; None where there are none."""
        try:
            content = binascii.a2b_base64(text.encode())
        except ValueError:
            return None
        return content if _base64(content) == text else None

    _ESCAPE = re.compile(r"\\.", re.DOTALL)
    _ONE_KIND = bytes.maketrans(b"{}", b"[]")
    _NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

    def _odd(text: str) -> bool:
        """Say whether the text holds a lone surrogate."""
        if text.isascii():
            return False
        try:
            text.encode()
        except UnicodeEncodeError:
            return True
        return False

    def _plain_text(text: str) -> str:
        return "".join((text,))  # the characters, whatever a subclass says in __str__

    def _refuse(name: str) -> Any:
        raise ValueError(name + " is not JSON")

    def _check_depth(text: str) -> None:
        """Raise ProtocolError for text that would make the JSON parser recurse too deeply.

        Under Pyodide too deep a recursion is no RecursionError: it ends the interpreter, and with it every
        app's connection. So the depth is known before the parser sees the text. Each round takes the
        innermost level away.
        """
        if "\\" in text:
            text = _ESCAPE.sub("", text)
        outside_strings = "".join(text.split('"')[::2]).encode("ascii", "replace")
        # Closed, should it be cut: else what is open at its end counts on top of what is deepest elsewhere.
        brackets = outside_strings.translate(_ONE_KIND, _NO_BRACKETS) + b"]" * (MAX_MESSAGE_DEPTH + 1)
        levels = 0
        while brackets.count(b"[") + levels > MAX_MESSAGE_DEPTH:
            shorter = brackets.replace(b"[]", b"")
            levels += 1
            if levels > MAX_MESSAGE_DEPTH or len(shorter) == len(brackets):
                raise ProtocolError("a message is malformed, or nested too deeply")
            brackets = shorter

    _compact = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
    ).encode
    _sorted = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), sort_keys=True
    ).encode
    _loads = json.JSONDecoder(parse_constant=_refuse).decode
    _quote = json.encoder.encode_basestring

    def dumps(structure: Any) -> str:
        """Return the JSON text of a message: no spaces, characters as they are."""
        return _compact(structure)

    def _canonical(packed: Any) -> str:
        text = _sorted(packed)
        check_size(text)
        return text
