"""Run under MicroPython by test_micropython.py: values and errors are the same there."""

import gc
import sys
import time

sys.path.append("/lib")

from masq.errors import InvalidKey, InvalidValue, ProtocolError, QuotaExceeded, from_wire, to_wire  # noqa: E402
from masq.messages import check_key, check_size, dumps, loads, pack, unpack  # noqa: E402


def refuses(error, function, *arguments):
    """Assert that a call raises this error."""
    try:
        function(*arguments)
    except error:
        return
    raise AssertionError("not refused: " + repr(arguments)[:80])


def nested(depth):
    """Return a value of this depth."""
    value = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


with open("/lib/values.json") as file:
    lines = file.read().split("\n")
packed_lines = [line.strip().rstrip(",") for line in lines if line.strip().startswith('{"packed"')]
assert len(packed_lines) > 10
for line in packed_lines:
    if "ud83d" in line:  # MicroPython does not join the halves of an escaped pair
        continue
    packed = loads(line)["packed"]
    assert loads(dumps(pack(unpack(packed)))) == packed, line
start = lines.index(' "refused": [')
for line in lines[start + 1 : -3]:
    refuses(InvalidValue, unpack, loads(line.strip().rstrip(",")))

for value in (
    2**53 - 1, 2**53, -(2**53), 2**3000, 1.0, 0.1, 1e300, 5e-324,
    "é😀\0\x7f\n\"\\\ud7ff", b"", b"abc\0\xff" * 100,
    {"$": 1}, {"$bytes": "x"}, {"": [1, [2, {"x": b"y"}]]}, nested(64), None, True, "\ue000",
):  # fmt: skip
    back = unpack(loads(dumps(pack(value))))
    assert back == value and type(back) is type(value), value
assert pack((1, (2,))) == [1, [2]]

for value in (
    float("nan"),
    float("inf"),
    "\ud800",
    {"\udfff": 1},
    {1: 2},
    object(),
    [{3}],
    nested(65),
    nested(500),
):
    refuses(InvalidValue, pack, value)
for function in (pack, unpack):
    refuses(InvalidValue, function, nested(65))
for key in (None, 3, "", "x" * 513, "é" * 257, "a\udfff"):
    refuses(InvalidKey, check_key, key)
for key in ("x" * 512, "é" * 256, "\0", "__proto__", " ", "😀"):
    check_key(key)
for sent in ("NaN", "", "[1", None):
    refuses(ProtocolError, loads, sent)
refuses(InvalidValue, check_size, "x" * 262145)

large = bytearray(196596)  # the largest there may be
state = 1
for at in range(len(large)):
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    large[at] = state >> 16 & 255
large = bytes(large)


def cost(size):
    """Return the milliseconds and the bytes that it takes to pack and to unpack so many random bytes."""
    content = large[:size]
    gc.collect()
    memory, began = gc.mem_alloc(), time.ticks_ms()
    packed = pack(content)
    most = gc.mem_alloc() - memory
    assert unpack(packed) == content
    return time.ticks_diff(time.ticks_ms(), began) + 1, most


assert [unpack(pack(large[:size])) == large[:size] for size in range(9)] == [True] * 9
for text in ["QQ", "QQ=", "QR==", "QUJ=", "QQ==QQ==", "Q=Q=", "====", "=", "Q===", "Q-==", "QUJé", "QQ==\n"]:
    refuses(InvalidValue, unpack, {"$bytes": text})
cost(1000)
(quick, _), (slow, most) = cost(19659), cost(196596)
assert slow < 40 * quick, (quick, slow)  # ten times as many take ten times as long, not a hundred
assert most < 4 << 20, most

error = from_wire(loads(dumps(to_wire(QuotaExceeded("keys", 5)))))
assert type(error) is QuotaExceeded and error.limit == 5 and str(error) == str(QuotaExceeded("keys", 5))
assert str(from_wire(["Hungry", "Feed me.", {}])) == "Feed me."
print("values are the same under MicroPython")
