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
    from masq_store.engine.profile.backup import read_backup

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


async def hash_vectors(make, vectors):
    """SHA-256 gives FIPS 180's results."""
    crypto = await make()
    for case in vectors["pairing"]["sha256"]:
        assert (await crypto.sha256(raw(case["content"]))).hex() == case["sha256"]


async def hmac_vectors(make, vectors):
    """HMAC gives RFC 4231's results; a MAC matches only whole, unaltered, and under its own key."""
    crypto = await make()
    for case in vectors["pairing"]["hmac"]:
        key, content, mac = raw(case["key"]), raw(case["content"]), raw(case["mac"])
        assert await crypto.hmac(key, content) == mac, case["name"]
        assert await crypto.hmac_matches(key, content, mac) is True
        for other in (_flip(mac, 0), _flip(mac, 31), mac[:16], mac + b"\0", b"", bytes(32)):
            assert await crypto.hmac_matches(key, content, other) is False
        assert not await crypto.hmac_matches(key, content + b"\0", mac)
        assert not await crypto.hmac_matches(key + b"x", content, mac)
    assert len(await crypto.hmac(bytes(32), b"")) == 32


async def x25519_vectors(make, vectors):
    """X25519 gives RFC 7748's results and pyca/cryptography's, and two pairs agree on one secret."""
    crypto = await make()
    for case in vectors["pairing"]["x25519"]:
        shared = await crypto.x25519_shared(raw(case["private"]), raw(case["public"]))
        assert shared.hex() == case["shared"], case["name"]
    one, two = crypto.random(32), crypto.random(32)
    public_one, public_two = await crypto.x25519_public(one), await crypto.x25519_public(two)
    assert public_one != public_two and len(public_one) == 32
    shared = await crypto.x25519_shared(one, public_two)
    assert shared == await crypto.x25519_shared(two, public_one) and len(shared) == 32


async def keys_that_are_none_are_refused(make, vectors):
    """A public key of low order, or of another size, raises DamagedData."""
    crypto = await make()
    bad = [raw(case) for case in vectors["pairing"]["low_order"]]
    assert len(bad) >= 5
    for public in [*bad, b"", bytes(31), b"\x09" + bytes(32)]:
        try:
            await crypto.x25519_shared(bytes(range(32)), public)
        except DamagedData:
            continue
        raise AssertionError(f"a shared secret was made with {public.hex()}")


async def the_known_pairing_comes_out(make, vectors):
    """Both devices of the known pairing say the known bytes, show the known digits, and end with the secrets."""
    from masq_store.core.pairing import device_pairing
    from masq_store.core.pairing import link as pairing_link

    crypto, case = await make(), vectors["pairing"]["pairing"]
    link = pairing_link.read_link(case["link"])
    assert (link.secret.hex(), link.relay) == (case["secret"], case["relay"])
    assert pairing_link.write_link("https://store.example/", link) == case["link"]
    home_secret, identity = raw(case["home_secret"]), raw(case["identity"])
    drawn = Drawn(crypto, raw(case["old_private"]), raw(case["new_private"]), raw(case["opening"]))
    old = await device_pairing.Inviting.begin(drawn, link.secret, case["profile"], home_secret, 0)
    new = await device_pairing.Joining.begin(drawn, link.secret, 0)
    for side in (old, new):
        assert (side.room.hex(), side.token.hex()) == (case["room"], case["token"])
    commitment, key, opening, profile, device, welcome = (
        device_pairing.Send(raw(content)) for content in case["messages"]
    )
    shown = device_pairing.ShowCode(case["code"])
    assert await new.start(0) == [commitment]
    assert await old.receive(commitment.content, 0) == [key]
    assert await new.receive(key.content, 0) == [opening, shown]
    assert await old.receive(opening.content, 0) == [device_pairing.AskCode()]
    assert await old.confirm(case["code"], 0) == [profile]
    assert await new.receive(profile.content, 0) == [device_pairing.AskToTake(case["profile"])]
    assert await new.accept(case["device"], identity, 0) == [device]
    assert await old.receive(device.content, 0) == [
        welcome,
        device_pairing.DeviceAdded(case["device"], identity),
    ]
    assert await new.receive(welcome.content, 0) == [
        device_pairing.ProfileTaken(case["profile"], home_secret)
    ]


async def the_known_envelopes_are_sealed_and_opened(make, vectors):
    """A space's room, token and envelopes are the known ones; each opens to the known message, and is sealed so."""
    from masq_store.core.crypto.key_ring import ProfileKeys
    from masq_store.core.space.space_ref import HOME, SpaceRef
    from masq_store.core.sync import messages as sync_wire
    from masq_store.core.sync.envelope import Header
    from masq_store.engine.sync.room_keys import RoomKeys

    crypto, case = await make(), vectors["envelope"]
    ring = ProfileKeys(crypto, raw(case["home_secret"]))
    space = SpaceRef("app", case["origin"], case["generation"])
    assert (await ring.secret(space)).hex() == case["space_secret"]
    assert (await ring.secret(HOME)).hex() == case["home_space_secret"]
    room_keys = await RoomKeys.of(crypto, ring, space)
    assert (room_keys.room.hex(), room_keys.token.hex()) == (case["room"], case["token"])
    envelopes = [raw(known["envelope"]) for known in case["messages"]]
    opened = await room_keys.open(envelopes)
    for known, envelope, found in zip(case["messages"], envelopes, opened, strict=True):
        header = Header(0, case["sender"], raw(case["session"]), known["counter"])
        message = _message(known)
        assert found == (header, message), known["name"]
        assert sync_wire.encode(message).hex() == known["message"], known["name"]
        assert await room_keys.seal(header, message) == envelope, known["name"]


async def envelopes_that_are_none_are_passed_over(make, vectors):
    """What no device has sealed does not open, what a later one might have is told apart, and others open beside it."""
    from masq_store.core.crypto.key_ring import GrantedKeys
    from masq_store.core.errors import NewerData
    from masq_store.core.space.space_ref import HOME
    from masq_store.engine.sync.room_keys import RoomKeys

    crypto, case = await make(), vectors["envelope"]
    room_keys = await RoomKeys.of(crypto, GrantedKeys(crypto, {HOME: raw(case["space_secret"])}), HOME)
    good = raw(case["messages"][0]["envelope"])
    (expected,) = await room_keys.open([good])
    for kind, sort in (("refused", type(None)), ("newer", NewerData)):
        assert case[kind]
        for bad in case[kind]:
            found = await room_keys.open([good, raw(bad["envelope"]), good])
            assert type(found[1]) is sort, bad["name"]
            assert found[0] == found[2] == expected, bad["name"]
    for at in (2, 5, 6, 13, 14, 29, 30, 37, 38, len(good) - 1):
        assert await room_keys.open([_flip(good, at)]) == [None], at
    for envelope in (b"", good[:32], good[:-1], good + b"\0", bytes(600)):
        assert await room_keys.open([envelope]) == [None]
    other = await RoomKeys.of(crypto, GrantedKeys(crypto, {HOME: bytes(32)}), HOME)
    assert await other.open([good]) == [None]


def _message(known):
    """Return what a known envelope says."""
    from masq_store.core.space.clock import Stamp
    from masq_store.core.space.register import Change, Register
    from masq_store.core.sync import messages as sync_wire

    kind = known["name"].partition(",")[0]
    if kind == "CHANGES":
        changes = [
            Change(who, number, key, Register(Stamp(*stamp), base, text, tuple(map(tuple, parts))))
            for who, number, key, text, stamp, base, parts in known["changes"]
        ]
        ranges = [tuple(each) for each in known["ranges"]]
        more = known.get("more", False)
        return sync_wire.Changes(changes, ranges, known.get("first", 0), known.get("base"), more)
    if kind == "STATE":
        rows = [(*row[:6], tuple(map(tuple, row[6]))) for row in known["rows"]]
        return sync_wire.State(rows, known["number"], raw(known["tag"]), known["vector"])
    if kind == "CHECK":
        return sync_wire.Check(known["vector"], known["digest"] and raw(known["digest"]))
    return sync_wire.Trimmed(known["number"]) if kind == "TRIMMED" else sync_wire.Here(known["device"])


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
    hash_vectors,
    hmac_vectors,
    x25519_vectors,
    keys_that_are_none_are_refused,
    the_known_pairing_comes_out,
    the_known_envelopes_are_sealed_and_opened,
    envelopes_that_are_none_are_passed_over,
    random_bytes_differ,
    the_device_key_stays,
)


def raw(text):
    """Return the bytes that a vector writes in hexadecimal."""
    return bytes.fromhex(text)


class Drawn:
    """A Crypto whose "random" bytes are known."""

    def __init__(self, crypto, *drawn):
        self._crypto, self._drawn = crypto, list(drawn)

    def __getattr__(self, name):
        return getattr(self._crypto, name)

    def random(self, size):
        """Return the next known bytes."""
        found = self._drawn.pop(0)
        assert len(found) == size
        return found


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
