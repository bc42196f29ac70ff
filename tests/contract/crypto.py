"""What every Crypto must do: plain async functions that take `make` and the vectors, and only assert.

`await make()` gives a Crypto. `vectors` holds the files of tests/vectors by name, read from JSON; bytes are
written in hexadecimal. No pytest here: the same functions run inside a page.
"""

from masq_store.core.errors import DamagedData


async def hkdf_vectors(make, vectors):
    """HKDF gives RFC 5869's results (with its empty salt) and ours for every label."""
    crypto = await make()
    assert vectors["hkdf"]
    for case in vectors["hkdf"]:
        found = await crypto.hkdf(raw(case["secret"]), raw(case["info"]), case["size"])
        assert found.hex() == case["okm"], case["name"]


async def derived_key_vectors(make, vectors):
    """A derived key is AES-256-GCM under HKDF's output: it seals to the known bytes, and opens them."""
    crypto = await make()
    assert vectors["derived"]
    for case in vectors["derived"]:
        key = await crypto.derive_key(raw(case["secret"]), raw(case["info"]))
        await _seals_to(crypto, key, case)


async def passphrase_vectors(make, vectors):
    """PBKDF2 gives keys that seal to the known bytes; passphrases that look alike count as equal (NFC)."""
    crypto = await make()
    assert vectors["passphrase"]
    for case in vectors["passphrase"]:
        for spelling in case["passphrases"]:
            key = await crypto.passphrase_key(spelling, raw(case["salt"]), case["iterations"])
            await _seals_to(crypto, key, case)


async def altered_records_are_refused(make, vectors):
    """A change in any byte of ciphertext, tag, nonce or associated data, or a cut, raises DamagedData."""
    crypto = await make()
    case = vectors["derived"][0]
    key = await crypto.derive_key(raw(case["secret"]), raw(case["info"]))
    nonce, sealed, associated = raw(case["nonce"]), raw(case["sealed"]), raw(case["associated"])
    spoilt = [(nonce, _flip(sealed, at), associated) for at in range(len(sealed))]
    spoilt += [(_flip(nonce, at), sealed, associated) for at in range(len(nonce))]
    spoilt += [(nonce, sealed, _flip(associated, at)) for at in range(len(associated))]
    spoilt += [(nonce, sealed[:cut], associated) for cut in (0, 1, 15, 16, len(sealed) - 1)]
    spoilt += [(nonce, sealed, b""), (nonce, sealed + b"\0", associated)]
    for items in spoilt:
        await _is_refused(crypto, key, items)
    other = await crypto.derive_key(raw(case["secret"]), raw(case["info"]) + b"x")
    await _is_refused(crypto, other, (nonce, sealed, associated))


async def many_open_in_order(make, vectors):
    """`open_many` gives all plaintexts in order, and raises DamagedData if one is altered."""
    crypto = await make()
    key = await crypto.derive_key(bytes(32), b"many")
    items = []
    for number in range(50):
        nonce, associated = number.to_bytes(12, "big"), b"at %d" % number
        items.append((nonce, await crypto.seal(key, nonce, b"record %d" % number, associated), associated))
    assert await crypto.open_many(key, items) == [b"record %d" % number for number in range(50)]
    assert await crypto.open_many(key, []) == []
    items[20], items[21] = (*items[20][:2], items[21][2]), items[21]
    try:
        await crypto.open_many(key, items)
    except DamagedData:
        return
    raise AssertionError("an altered record among many was opened")


async def the_known_backup_opens(make, vectors):
    """The known backup file opens to the known contents, and not with another passphrase."""
    from masq_store.core.errors import WrongBackupPassphrase
    from masq_store.engine.backup import read_backup

    crypto, case = await make(), vectors["backup"]
    backup = await read_backup(crypto, raw(case["file"]), case["passphrase"])
    assert backup.plain() == case["plain"]
    assert backup.manifest.home_secret.hex() == case["home_secret"]
    assert {origin: space.vector for origin, space in backup.spaces.items()} == case["vectors"]
    try:
        await read_backup(crypto, raw(case["file"]), case["passphrase"] + "!")
    except WrongBackupPassphrase:
        return
    raise AssertionError("a backup was opened with another passphrase")


async def random_bytes_differ(make, vectors):
    """Random bytes have the size asked for and do not repeat."""
    crypto = await make()
    assert [len(crypto.random(size)) for size in (0, 1, 16, 32)] == [0, 1, 16, 32]
    assert len({bytes(crypto.random(16)) for _ in range(200)}) == 200


async def the_device_key_stays(make, vectors):
    """Where there is a device key, it is the same each time it is asked for."""
    crypto = await make()
    key = await crypto.device_key()
    if key is None:
        return
    sealed = await crypto.seal(key, bytes(12), b"root", b"x")
    assert await crypto.open(await crypto.device_key(), bytes(12), sealed, b"x") == b"root"


CONTRACT = (
    hkdf_vectors,
    derived_key_vectors,
    passphrase_vectors,
    altered_records_are_refused,
    many_open_in_order,
    the_known_backup_opens,
    random_bytes_differ,
    the_device_key_stays,
)


def raw(text):
    """Return the bytes that a vector writes in hexadecimal."""
    return bytes.fromhex(text)


async def _seals_to(crypto, key, case):
    nonce, plain, associated = raw(case["nonce"]), raw(case["plaintext"]), raw(case["associated"])
    sealed = await crypto.seal(key, nonce, plain, associated)
    assert sealed.hex() == case["sealed"], case["name"]
    assert await crypto.open(key, nonce, raw(case["sealed"]), associated) == plain, case["name"]


async def _is_refused(crypto, key, items):
    try:
        await crypto.open(key, *items)
    except DamagedData:
        return
    raise AssertionError("altered bytes were opened")


def _flip(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
