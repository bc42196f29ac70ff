"""Base64 under MicroPython, whose own takes time and memory with the square of what it is given.

200 KB there: seconds and hundreds of megabytes, which the page never gives back; here a third of a second and half
a megabyte.
"""

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NONE = 255
_VALUES = bytearray([_NONE] * 256)  # of each letter
for _value in range(64):
    _VALUES[_LETTERS[_value]] = _value


def encode(content: bytes) -> str:
    """Return the bytes as base64, with padding."""
    letters = _LETTERS
    spare = len(content) % 3
    text = bytearray((len(content) + 2) // 3 * 4)
    to = 0
    for at in range(0, len(content) - spare, 3):
        three = content[at] << 16 | content[at + 1] << 8 | content[at + 2]
        text[to] = letters[three >> 18]
        text[to + 1] = letters[three >> 12 & 63]
        text[to + 2] = letters[three >> 6 & 63]
        text[to + 3] = letters[three & 63]
        to += 4
    if spare:
        three = content[-spare] << 16 | (content[-1] << 8 if spare == 2 else 0)
        text[to] = letters[three >> 18]
        text[to + 1] = letters[three >> 12 & 63]
        text[to + 2] = letters[three >> 6 & 63] if spare == 2 else 61  # "="
        text[to + 3] = 61
    return text.decode()


def decode(text: str) -> "bytes | None":
    """Return the bytes that `encode` makes this text of; None where there are none."""
    values = _VALUES
    letters = text.encode()
    if len(letters) % 4:
        return None
    padding = 2 if letters[-2:] == b"==" else 1 if letters[-1:] == b"=" else 0
    content = bytearray(len(letters) // 4 * 3)
    to = 0
    for at in range(0, len(letters) - (4 if padding else 0), 4):
        a = values[letters[at]]
        b = values[letters[at + 1]]
        c = values[letters[at + 2]]
        d = values[letters[at + 3]]
        if a | b | c | d > 63:
            return None
        four = a << 18 | b << 12 | c << 6 | d
        content[to] = four >> 16
        content[to + 1] = four >> 8 & 255
        content[to + 2] = four & 255
        to += 3
    if not padding:
        return bytes(content)
    a, b = values[letters[-4]], values[letters[-3]]
    c = values[letters[-2]] if padding == 1 else 0
    # What the last letter holds beyond the content must be nothing: one content has one text.
    if a | b | c > 63 or (b & 15 if padding == 2 else c & 3):
        return None
    content[to] = a << 2 | b >> 4
    content[to + 1] = (b & 15) << 4 | c >> 2
    return bytes(content[: len(content) - padding])
