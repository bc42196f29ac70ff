"""What every Backend must do: plain async functions that take a `make` factory and only assert.

`await make()` gives a new backend over empty storage, and `await make(other)` one over the storage of
`other`, as a second engine would have it. No pytest here: the same functions run inside a page.
"""

from masq_store.core.errors import Superseded


async def reads_what_was_written(make):
    """A written key reads back byte for byte, empty values included; another key reads None."""
    backend = await make()
    every = bytes(range(256))
    await backend.write([("a", every), ("empty", b"")])
    assert await backend.read("a") == every
    assert await backend.read("empty") == b""
    assert await backend.read("b") is None
    assert await backend.read("") is None
    await backend.close()


async def what_is_flushed_is_there(make):
    """A flush changes nothing, comes back on an empty storage too, and goes on beside writes."""
    backend = await make()
    await backend.flush()
    await backend.claim()
    await backend.flush()
    await backend.write([("a", b"1")])
    await backend.flush()
    await backend.write([("b", b"2")])
    assert await backend.scan("") == [("a", b"1"), ("b", b"2")]
    again = await make(backend)
    assert await again.scan("") == [("a", b"1"), ("b", b"2")]
    assert await again.claim() > 1
    await again.close()
    await backend.close()


async def a_later_write_replaces(make):
    """The last put of a key counts, within a batch and between batches."""
    backend = await make()
    await backend.write([("a", b"1"), ("a", b"2")])
    assert await backend.read("a") == b"2"
    await backend.write([("a", b"3")])
    assert await backend.read("a") == b"3"
    await backend.close()


async def scans_in_key_order(make):
    """A scan gives the keys with that beginning, in order of code points, and no others."""
    backend = await make()
    keys = ["s/0a", "s/00", "s/10", "s", "s0", "t/00", "s/é", "s/ff"]
    await backend.write([(key, key.encode()) for key in keys])
    expected = [(key, key.encode()) for key in sorted(keys) if key.startswith("s/")]
    assert await backend.scan("s/") == expected
    assert [key for key, _ in await backend.scan("")] == sorted(keys)
    assert await backend.scan("u") == []
    await backend.close()


async def drops_are_half_open_ranges(make):
    """A range drops its first key and not its end."""
    backend = await make()
    await backend.write([(key, b"x") for key in ("a", "b", "ba", "c", "d")])
    await backend.write([], [("b", "c")])
    assert [key for key, _ in await backend.scan("")] == ["a", "c", "d"]
    await backend.write([], [("a", "b"), ("d", "e"), ("x", "z")])
    assert [key for key, _ in await backend.scan("")] == ["c"]
    await backend.close()


async def drops_come_before_puts(make):
    """A batch that drops a range and puts into it ends with what it put."""
    backend = await make()
    await backend.write([("s/1", b"old"), ("s/2", b"old")])
    await backend.write([("s/2", b"new")], [("s/", "s0")])
    assert await backend.scan("s/") == [("s/2", b"new")]
    await backend.close()


async def an_empty_batch_is_fine(make):
    """Writing nothing changes nothing."""
    backend = await make()
    await backend.write([])
    assert await backend.scan("") == []
    await backend.close()


async def writes_survive_the_backend(make):
    """What was written is there for the next backend on the same storage."""
    first = await make()
    await first.write([("a", b"1")])
    second = await make(first)
    assert await second.read("a") == b"1"
    await second.close()
    await first.close()


async def a_claim_ends_earlier_claimants(make):
    """Generations grow; after a second claim the first's writes raise Superseded and change nothing."""
    first = await make()
    one = await first.claim()
    await first.write([("a", b"1")])
    second = await make(first)
    two = await second.claim()
    assert two > one
    try:
        await first.write([("a", b"2"), ("b", b"2")], [("a", "z")])
    except Superseded:
        pass
    else:
        raise AssertionError("a superseded engine could write")
    assert await second.read("a") == b"1"
    assert await second.read("b") is None
    await second.write([("a", b"3")])
    assert await second.read("a") == b"3"
    await second.close()
    await first.close()


async def the_generation_is_no_key(make):
    """What a backend keeps for itself is not seen by a scan, and dropping everything does not touch it."""
    first = await make()
    one = await first.claim()
    assert await first.scan("") == []
    await first.write([("a", b"1")], [("", "\U0010ffff")])
    second = await make(first)
    assert await second.claim() > one
    assert await second.scan("") == [("a", b"1")]
    await second.close()
    await first.close()


async def larger_batches_are_whole(make):
    """A thousand records of a kilobyte go in one batch."""
    backend = await make()
    batch = [(f"r/{number:05}", bytes([number % 256]) * 1024) for number in range(1000)]
    await backend.write(batch)
    assert await backend.scan("r/") == batch
    await backend.close()


CONTRACT = (
    reads_what_was_written,
    what_is_flushed_is_there,
    a_later_write_replaces,
    scans_in_key_order,
    drops_are_half_open_ranges,
    drops_come_before_puts,
    an_empty_batch_is_fine,
    writes_survive_the_backend,
    a_claim_ends_earlier_claimants,
    the_generation_is_no_key,
    larger_batches_are_whole,
)
