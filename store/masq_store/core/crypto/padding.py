"""Padding: what is sealed tells its size only roughly."""

from __future__ import annotations

from masq_store.core.errors import DamagedData

MINIMUM = 256  # bytes; most single writes look alike
_LENGTH = 4  # bytes in front, big-endian


def padded_size(size: int, minimum: int = MINIMUM) -> int:
    """Return the size in bytes to which `size` bytes are padded; `minimum`: a power of two.

    Padmé, from "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs" (Nikitin et
    al., 2019): at most 12 % more, and only O(log log size) bits of the size are seen.
    """
    if size <= minimum:
        return minimum
    exponent = size.bit_length() - 1
    zeros = exponent - exponent.bit_length()  # low bits that must be zero
    mask = (1 << zeros) - 1
    return (size + mask) & ~mask


def pad(content: bytes, minimum: int = MINIMUM) -> bytes:
    """Return the content with its length in front and zeros behind."""
    size = _LENGTH + len(content)
    return len(content).to_bytes(_LENGTH, "big") + content + bytes(padded_size(size, minimum) - size)


def unpad(padded: bytes, minimum: int = MINIMUM) -> bytes:
    """Undo `pad`. Raises DamagedData for anything that `pad` would not have made."""
    end = _LENGTH + int.from_bytes(padded[:_LENGTH], "big")
    if (
        len(padded) < minimum
        or end > len(padded)
        or padded_size(end, minimum) != len(padded)
        or any(padded[end:])
    ):
        raise DamagedData("the padding of a record")
    return padded[_LENGTH:end]
