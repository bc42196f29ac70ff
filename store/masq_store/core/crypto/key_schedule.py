"""The key schedule: every label, size and nonce of the store's cryptography, in one place.

Each key has one purpose, and its label says which. `info` is what goes into HKDF, `data` what goes along as
associated data; both join their fields so that no two different lists of fields give the same bytes.
"""

from __future__ import annotations

PBKDF2_ITERATIONS = 600_000  # OWASP Password Storage Cheat Sheet 2023, for HMAC-SHA-256

MAX_ITERATIONS = 10_000_000  # seconds of work, not hours, whatever a file or a record asks for

# Sizes in bytes
KEY_BYTES = 32  # AES-256
SECRET_BYTES = 32  # root key, home secret, space secret
SALT_BYTES = 16  # NIST SP 800-132 asks for at least 16
NONCE_BYTES = 12  # AES-GCM's own size, NIST SP 800-38D
TAG_BYTES = 16  # AES-GCM's full tag
RUN_BYTES = 16  # names an engine run; random, so that two runs never share a key
ID_BYTES = 16  # of spaces and profiles
REPLICA_BYTES = 8  # written as 16 hexadecimal characters
DEVICE_ID_BYTES = 8  # likewise
HASH_BYTES = 32  # SHA-256
MAC_BYTES = 32  # HMAC-SHA-256, in full
X25519_BYTES = 32  # a private key, a public key, a shared secret (RFC 7748)
ROOM_BYTES = 16  # names a room of the relay
TOKEN_BYTES = 32  # lets into a room
LINK_BYTES = 16  # a pairing link's secret
OPENING_BYTES = 16  # hides the key in a pairing commitment until it is opened

JOURNAL = "masq/v1/journal"  # root key → key of one space's records in one engine run
SPACE_ID = "masq/v1/space-id"  # root key → an app's space's name on disk
HOME_ID = "masq/v1/home-id"  # root key → the home space's name on disk
SPACE_SECRET = "masq/v1/space-secret"  # home secret → an app's space's secret
HOME_SPACE = "masq/v1/home-space"  # home secret → the home space's secret
ROOM = "masq/v1/room"  # a space's secret → the id of its room at a relay
EPOCH = "masq/v1/epoch"  # a space's secret → its first epoch's secret
ROOM_TOKEN = "masq/v1/room-token"  # an epoch's secret → what lets into the room
SENDER = "masq/v1/sender"  # an epoch's secret → the key of one replica's session
ENVELOPE = "masq/v1/envelope"  # associated data of an envelope
ROOT_BY_PASSPHRASE = "masq/v1/root-by-passphrase"  # the root key, wrapped under the passphrase key
ROOT_BY_DEVICE = "masq/v1/root-by-device"  # the root key, wrapped under the device key
ROOT_BY_TICKET = "masq/v1/root-by-ticket"  # the root key, wrapped under a page's ticket
TICKET = "masq/v1/ticket"  # a page's ticket → the key that it stands for
HOME_SECRET = "masq/v1/home-secret"  # root key → key that seals the home secret on disk
DEVICE_KEY = (
    "masq/v1/device-key"  # root key → key that seals the private half of the device's identity on disk
)
DEVICE_ID = "masq/v1/device-id"  # what a device's id hashes: its public key
APPROVALS = "masq/v1/approvals"  # root key → key that seals the list of approved origins
RECORD = "masq/v1/record"  # associated data of a journal record
BACKUP = "masq/v1/backup"  # backup key → key that seals a backup file's records
BACKUP_BY_PASSPHRASE = "masq/v1/backup-by-passphrase"  # the backup key, wrapped under its passphrase's key
BACKUP_RECORD = "masq/v1/backup-record"  # associated data of a record in a backup file
BACKUP_PROFILE = "masq/v1/backup-profile"  # home secret → what tells two backups of one profile as such
PAIRING_ROOM = "masq/v1/pairing-room"  # a link's secret → the room in which the two devices meet
PAIRING_TOKEN = "masq/v1/pairing-token"  # a link's secret → what lets into that room
PAIRING_MAC = "masq/v1/pairing-mac"  # a link's secret → one device's key for the MACs of its messages
PAIRING_MESSAGE = "masq/v1/pairing-message"  # what the MAC of a message is made over
PAIRING_COMMITMENT = "masq/v1/pairing-commitment"  # what the new device's commitment hashes
PAIRING_TRANSCRIPT = "masq/v1/pairing-transcript"  # what the transcript hashes
PAIRING_CODE = "masq/v1/pairing-code"  # a link's secret and the transcript → the six digits
PAIRING_SESSION = "masq/v1/pairing-session"  # shared secret, link's secret, transcript → one device's key
PAIRING_SEALED = "masq/v1/pairing-sealed"  # associated data of a sealed message
ROSTER = "masq/v1/roster"  # home secret → an app's roster's secret
ROSTER_ID = "masq/v1/roster-id"  # root key → an app's roster's name on disk
ENROLMENT_LINK = "masq/v1/enrolment-link"  # a link's secret, a nonce → the secret of an enrolment's meeting
ENROLMENT = "masq/v1/enrolment"  # a space's secret → the name under which a partition keeps it
PARTITION = "masq/v1/partition"  # a space's secret → a partition's root key for it
GRANT = "masq/v1/grant"  # a partition's root key → key that seals on disk what it was granted

LABELS = tuple(value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str))
"""Every label: each constant above that is a text."""


def join(*fields: str | bytes | int) -> bytes:
    """Return the fields as bytes, each with its length in front (4 bytes, big-endian).

    A str goes in as UTF-8, an int (0 to 2**64 - 1) as 8 bytes big-endian. Raises OverflowError for other
    ints.
    """
    joined = []
    for field in fields:
        if isinstance(field, str):
            field = field.encode()
        elif isinstance(field, int):
            field = field.to_bytes(8, "big")
        joined.append(len(field).to_bytes(4, "big"))
        joined.append(field)
    return b"".join(joined)


def nonce(number: int) -> bytes:
    """Return the 12-byte nonce for a record's number in its engine run; never used twice under one key."""
    return number.to_bytes(NONCE_BYTES, "big")


def journal_info(space: str, run: bytes) -> bytes:
    """Return HKDF's info for the key of a space's records in an engine run."""
    return join(JOURNAL, space, run)


def space_id_info(origin: str, generation: int) -> bytes:
    """Return HKDF's info for an app's space's name on disk, which tells nothing about the app."""
    return join(SPACE_ID, origin, generation)


def home_id_info() -> bytes:
    """Return HKDF's info for the home space's name on disk."""
    return join(HOME_ID)


def space_secret_info(origin: str, generation: int) -> bytes:
    """Return HKDF's info for an app's space's secret; erasing an app raises its generation."""
    return join(SPACE_SECRET, origin, generation)


def home_space_info() -> bytes:
    """Return HKDF's info for the home space's secret."""
    return join(HOME_SPACE)


def room_info() -> bytes:
    """Return HKDF's info for the id (16 bytes) of a space's room, which tells nothing about the space."""
    return join(ROOM)


def epoch_info(epoch: int) -> bytes:
    """Return HKDF's info for the secret of a space's epoch 0; later epochs' secrets are drawn."""
    return join(EPOCH, epoch)


def room_token_info() -> bytes:
    """Return HKDF's info for the access token (32 bytes) of a space's room."""
    return join(ROOM_TOKEN)


def sender_info(sender: str, session: bytes) -> bytes:
    """Return HKDF's info for the key under which a replica seals in one session (16 random bytes)."""
    return join(SENDER, sender, session)


def envelope_data(header: bytes) -> bytes:
    """Return the associated data of an envelope: all that stands in front of what is sealed."""
    return join(ENVELOPE, header)


def home_secret_info(profile: str) -> bytes:
    """Return HKDF's info for the key that seals a profile's home secret on disk."""
    return join(HOME_SECRET, profile)


def device_key_info(profile: str) -> bytes:
    """Return HKDF's info for the key that seals the private half of a device's identity on disk."""
    return join(DEVICE_KEY, profile)


def device_id_data(public: bytes) -> bytes:
    """Return what a device's id hashes: the public half of its identity."""
    return join(DEVICE_ID, public)


def approvals_info(profile: str) -> bytes:
    """Return HKDF's info for the key that seals a profile's list of approved origins."""
    return join(APPROVALS, profile)


def ticket_info(profile: str) -> bytes:
    """Return HKDF's info for the key that a page's ticket stands for."""
    return join(TICKET, profile)


def wrapped_root_data(label: str, profile: str) -> bytes:
    """Return the associated data of a wrapped root key; `label`: one of the ROOT_BY_… above."""
    return join(label, profile)


def record_data(profile: str, space: str, kind: int, run: bytes, number: int, previous_tag: bytes) -> bytes:
    """Return the associated data of a journal record.

    With the previous record's tag in it (b"" for a run's first), a record that is missing, moved or from
    elsewhere is found out. `number`: the record's count within its run.
    """
    return join(RECORD, profile, space, kind, run, number, previous_tag)


def backup_info() -> bytes:
    """Return HKDF's info for the key that seals a backup file's records."""
    return join(BACKUP)


def backup_profile_info() -> bytes:
    """Return HKDF's info for the mark that backups of one profile share; it tells nothing of the secret."""
    return join(BACKUP_PROFILE)


def wrapped_backup_data(head: bytes) -> bytes:
    """Return the associated data of a wrapped backup key: all of the file's head that stands before it."""
    return join(BACKUP_BY_PASSPHRASE, head)


def backup_record_data(version: int, number: int, last: bool, previous_tag: bytes) -> bytes:
    """Return the associated data of a backup file's record `number`, the first being 0.

    With the previous record's tag in it (b"" for the first) and whether it is the last one, a record that is
    missing, moved, from another file or cut off is found out.
    """
    return join(BACKUP_RECORD, version, number, int(last), previous_tag)


def pairing_room_info() -> bytes:
    """Return HKDF's info for the room (16 bytes) in which a link's two devices meet."""
    return join(PAIRING_ROOM)


def pairing_token_info() -> bytes:
    """Return HKDF's info for the access token (32 bytes) of that room."""
    return join(PAIRING_TOKEN)


def pairing_mac_info(sender: int) -> bytes:
    """Return HKDF's info for the MAC key of one device; `sender`: 1 the old one, 2 the new one."""
    return join(PAIRING_MAC, sender)


def pairing_message_data(signed: bytes) -> bytes:
    """Return what the MAC of a pairing message is made over: all of the message that stands before it."""
    return join(PAIRING_MESSAGE, signed)


def pairing_commitment_data(public: bytes, opening: bytes) -> bytes:
    """Return what the new device's commitment hashes: its public key, hidden by 16 random bytes."""
    return join(PAIRING_COMMITMENT, public, opening)


def pairing_transcript_data(commitment: bytes, key: bytes, opening: bytes) -> bytes:
    """Return what the transcript hashes: the three messages as they were sent, without their MACs."""
    return join(PAIRING_TRANSCRIPT, commitment, key, opening)


def pairing_code_info(transcript: bytes) -> bytes:
    """Return HKDF's info for the 8 bytes from which the six digits are made."""
    return join(PAIRING_CODE, transcript)


def pairing_session_info(transcript: bytes, sender: int) -> bytes:
    """Return HKDF's info for the key under which one device seals; one for each, so that no nonce repeats."""
    return join(PAIRING_SESSION, transcript, sender)


def pairing_sealed_data(header: bytes) -> bytes:
    """Return the associated data of a sealed message: its header, which names its sender and kind."""
    return join(PAIRING_SEALED, header)


def roster_info(origin: str) -> bytes:
    """Return HKDF's info for the secret of an app's roster; it outlives the generations of the app's data."""
    return join(ROSTER, origin)


def roster_id_info(origin: str) -> bytes:
    """Return HKDF's info for the name of an app's roster on disk."""
    return join(ROSTER_ID, origin)


def enrolment_link_info(nonce: str) -> bytes:
    """Return HKDF's info for the secret of a meeting, from a link's; `nonce`: what app, frame and window share."""
    return join(ENROLMENT_LINK, nonce)


def enrolment_info() -> bytes:
    """Return HKDF's info for the name (16 bytes) of a space in a partition, which tells nothing about the space."""
    return join(ENROLMENT)


def partition_info(partition: bytes) -> bytes:
    """Return HKDF's info for a partition's root key; whoever is given the space's secret again finds it again."""
    return join(PARTITION, partition)


def grant_info(enrolment: str) -> bytes:
    """Return HKDF's info for the key that seals what a partition was granted."""
    return join(GRANT, enrolment)
