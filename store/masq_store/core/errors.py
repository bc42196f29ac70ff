"""Errors that only the store knows, beside those of `masq.errors`.

    MasqError
    ├── StorageFailed
    ├── WrongPassphrase
    │   └── WrongBackupPassphrase
    ├── PassphraseNeeded
    ├── UnreadableData
    │   ├── NewerData
    │   └── DamagedData
    ├── Superseded
    ├── BackupError
    │   ├── NotABackup
    │   ├── DamagedBackup
    │   ├── TruncatedBackup
    │   └── NewerBackup
    ├── PairingEnded
    │   ├── PairingRefused
    │   ├── PairingExpired
    │   ├── PairingUsedTwice
    │   ├── WrongPairingCode
    │   ├── PairingGone
    │   ├── PairingOffline
    │   ├── PairingBroken
    │   ├── PairingNotServed
    │   └── ProfileNotKept
    ├── BadPairingLink
    ├── BadRelayAddress
    ├── RelayRefused
    ├── SyncFailed
    ├── RelayUnreachable
    ├── NoRelay
    ├── PairingHere
    ├── OtherPage
    └── ProfileHere

What is caught together has one parent.
"""

from __future__ import annotations

from masq.errors import Disconnected, MasqError, known


class StorageFailed(MasqError):
    """The disk gives nothing, or takes nothing. `reason`: why, in words.

    It travels as `Disconnected`, sentence and all: that is what it is to an app, and to a build that knows no more.
    """

    code = Disconnected.code
    names = Disconnected.names

    def __init__(self, reason: str = "the store's disk failed") -> None:
        super().__init__(Disconnected(reason).sentence, reason=reason)


@known
class WrongPassphrase(MasqError):
    """The passphrase does not open the profile. `wait_seconds`: how long until the next try counts."""

    code = "WrongPassphrase"
    names = ("wait_seconds",)

    def __init__(self, wait_seconds: float = 0) -> None:
        wait = f" Wait {wait_seconds:g} s before the next try." if wait_seconds else ""
        super().__init__(
            f"This passphrase does not open the profile. Check it and try again.{wait}",
            wait_seconds=wait_seconds,
        )


@known
class PassphraseNeeded(MasqError):
    """What was asked for outlives the lock, so the passphrase that opens the profile must come with it."""

    code = "PassphraseNeeded"

    def __init__(self) -> None:
        super().__init__(
            "This lasts longer than the store is unlocked, so it needs the passphrase. Nothing was changed. "
            "Type your passphrase, and try again."
        )


class UnreadableData(MasqError):
    """Data is there, and this program cannot read it. It is left as it is."""


@known
class NewerData(UnreadableData):
    """The data was written by a newer version. `found` and `known`: its format version, and ours."""

    code = "NewerData"
    names = ("found", "known")

    def __init__(self, found: int = 0, known: int = 0) -> None:
        super().__init__(
            f"The data on this device was written by a newer version of Masq (format {found}; this one reads "
            f"up to {known}). Nothing was changed. Reload to get the newer version.",
            found=found,
            known=known,
        )


@known
class DamagedData(UnreadableData):
    """Stored or received bytes are not what was written. `what`: which, in words."""

    code = "DamagedData"
    names = ("what",)

    def __init__(self, what: str = "the data") -> None:
        super().__init__(
            f"Damaged: {what} is not what was written here. It was left as it is; restore it from another "
            "device or a backup.",
            what=what,
        )


@known
class Superseded(MasqError):
    """Another engine has taken over the storage; this one must stop."""

    code = "Superseded"

    def __init__(self) -> None:
        super().__init__(
            "A newer part of the store has taken over on this device, so this one may not write any more. "
            "Nothing was changed. Connect again."
        )


class BackupError(MasqError):
    """A file is no backup that can be restored. Nothing was changed."""


@known
class NotABackup(BackupError):
    """The file is something else than a backup."""

    code = "NotABackup"

    def __init__(self) -> None:
        super().__init__(
            "This file is not a backup made by Masq, or its beginning is gone. Nothing was changed. "
            "Choose the file that was saved as the backup."
        )


@known
class DamagedBackup(BackupError):
    """The backup is not what was written. `what`: which part of it, in words."""

    code = "DamagedBackup"
    names = ("what",)

    def __init__(self, what: str = "a part of it") -> None:
        super().__init__(
            f"This backup is damaged: {what} is not what was saved. Nothing was changed. "
            "Use another copy of the file, or an earlier backup.",
            what=what,
        )


@known
class TruncatedBackup(BackupError):
    """The backup file ends before its last record."""

    code = "TruncatedBackup"

    def __init__(self) -> None:
        super().__init__(
            "This backup is cut off: the file ends too early, as after a download or a copy that was not "
            "finished. Nothing was changed. Fetch or copy the file again, or use an earlier backup."
        )


@known
class NewerBackup(BackupError):
    """The backup was made by a newer version. `found` and `known`: its format version, and ours."""

    code = "NewerBackup"
    names = ("found", "known")

    def __init__(self, found: int = 0, known: int = 0) -> None:
        super().__init__(
            f"This backup was made by a newer version of Masq (format {found}; this one reads up to {known}). "
            "Nothing was changed. Get the newer version, then restore it there.",
            found=found,
            known=known,
        )


@known
class WrongBackupPassphrase(WrongPassphrase):
    """The passphrase does not open the backup file."""

    code = "WrongBackupPassphrase"

    def __init__(self, wait_seconds: float = 0) -> None:
        super().__init__(wait_seconds)
        self.sentence = (
            "This passphrase does not open the backup. It is the one that was chosen when the backup was made, "
            "which need not be the profile's. Nothing was changed. Check it and try again."
        )


# Pairing. None of these leaves anything changed on the device that says it.

_AGAIN = 'To try again, choose "Add a device" on the device that has the profile, and use the new link there.'

_LISTED = " If the other device lists this one already, remove it there."


class PairingEnded(MasqError):
    """A pairing has ended, and the profile is not on the new device. To try again takes a new link."""


@known
class BadPairingLink(MasqError):
    """The text is no pairing link."""

    code = "BadPairingLink"

    def __init__(self) -> None:
        super().__init__(
            "This is not a link that adds a device, or a part of it is missing. Nothing was changed. "
            "Copy the whole link again, or scan the code that the other device shows."
        )


@known
class PairingRefused(PairingEnded):
    """Somebody said no. `where`: "here" or "there", on the other device."""

    code = "PairingRefused"
    names = ("where",)

    def __init__(self, where: str = "there") -> None:
        what = "You ended the pairing" if where == "here" else "The pairing was ended on the other device"
        super().__init__(f"{what}. Nothing was changed on this device. {_AGAIN}", where=where)


@known
class PairingExpired(PairingEnded):
    """The link is too old, or one of the two persons' answers took too long."""

    code = "PairingExpired"

    def __init__(self) -> None:
        super().__init__(
            f"The time for this pairing is over: a link is good for ten minutes. Nothing was changed. {_AGAIN}"
        )


@known
class PairingUsedTwice(PairingEnded):
    """Somebody else used the same link."""

    code = "PairingUsedTwice"

    def __init__(self) -> None:
        super().__init__(
            "This link was used twice, so the pairing was ended. Nothing was changed. If it was not you who "
            f"opened it again, somebody else has seen the link: show the next one to nobody. {_AGAIN}"
        )


@known
class WrongPairingCode(PairingEnded):
    """The six digits that were typed are not those of the new device."""

    code = "WrongPairingCode"

    def __init__(self) -> None:
        super().__init__(
            "The six digits were not those that the new device shows, so the pairing was ended. Nothing was "
            "changed. If they were typed as shown, somebody may have stepped in between: use another network "
            f"and show the next link to nobody. {_AGAIN}"
        )


@known
class PairingGone(PairingEnded):
    """The other device is not there. `maybe_listed`: it may hold this one to be paired already."""

    code = "PairingGone"
    names = ("maybe_listed",)

    def __init__(self, maybe_listed: bool = False) -> None:
        super().__init__(
            "The other device does not answer any more: its page was closed, or it lost the network. "
            f"Nothing was changed on this device.{_LISTED if maybe_listed else ''} Keep the store open on "
            f"both. {_AGAIN}",
            maybe_listed=maybe_listed,
        )


@known
class PairingOffline(PairingEnded):
    """This device lost the relay while it was pairing. `maybe_listed`: as in PairingGone."""

    code = "PairingOffline"
    names = ("maybe_listed",)

    def __init__(self, maybe_listed: bool = False) -> None:
        super().__init__(
            "This device could not reach the relay, where the two devices meet, so the pairing was ended. "
            f"Nothing was changed on this device.{_LISTED if maybe_listed else ''} Check the network and the "
            f"relay's address. {_AGAIN}",
            maybe_listed=maybe_listed,
        )


@known
class PairingBroken(PairingEnded):
    """What arrived is not what the other device can have sent. `what`: what is wrong, in words."""

    code = "PairingBroken"
    names = ("what",)

    def __init__(self, what: str = "a message was altered") -> None:
        super().__init__(
            f"The two devices did not understand each other ({what}), so the pairing was ended. Nothing was "
            f"changed on this device. Reload the store on both, so that both run the newest version. {_AGAIN}",
            what=what,
        )


# The relay.


@known
class BadRelayAddress(MasqError):
    """The text is no address of a relay."""

    code = "BadRelayAddress"

    def __init__(self) -> None:
        super().__init__(
            "This is not the address of a relay. Nothing was changed. It begins with wss:// and has no spaces, "
            "such as wss://relay.example; only a relay on this very device may be reached by ws://."
        )


@known
class RelayRefused(MasqError):
    """The relay is there and does not take what this device sends. `code`: its word for why; `reason`: its sentence."""

    code = "RelayRefused"
    names = ("relay_code", "reason")

    def __init__(self, relay_code: str = "DISK_FAILED", reason: str = "it does not say why") -> None:
        super().__init__(
            f"The relay does not take what this device sends ({relay_code}: {reason}). What you change is kept on this "
            "device, which tries again by itself. If this stays, ask whoever runs the relay, or use another one.",
            relay_code=relay_code,
            reason=reason,
        )


@known
class SyncFailed(MasqError):
    """A defect of this program stopped the sync of some data. `reason`: its own words."""

    code = "SyncFailed"
    names = ("reason",)

    def __init__(self, reason: str = "it does not say why") -> None:
        super().__init__(
            f"Masq failed while it kept this device in step with the others ({reason}). Your data on this device is "
            "as it was. It tries again by itself; if this stays, reload the store for its newest version.",
            reason=reason,
        )


@known
class RelayUnreachable(MasqError):
    """There is no connection to the relay. `reason`: why, in words."""

    code = "RelayUnreachable"
    names = ("reason",)

    def __init__(self, reason: str = "it does not answer") -> None:
        super().__init__(
            f"This device has no connection to the relay: {reason}. What you change is kept on this device, and "
            "goes to your other devices once the relay can be reached. Check the network and the relay's address.",
            reason=reason,
        )


@known
class NoRelay(MasqError):
    """There is no relay at which devices could meet."""

    code = "NoRelay"

    def __init__(self) -> None:
        super().__init__(
            "No relay is set, and it is at a relay that devices meet. Nothing was changed. Set a relay's address in "
            "the settings, on the device that has the profile, and make a new link there."
        )


@known
class PairingNotServed(PairingEnded):
    """The relay does not serve a pairing. `reason`: its own words."""

    code = "PairingNotServed"
    names = ("reason",)

    def __init__(self, reason: str = "") -> None:
        super().__init__(
            f"The relay did not take part (it says: {reason or 'nothing'}), so the pairing was ended. Nothing was "
            f"changed on this device. {_AGAIN} If it happens again, set another relay there.",
            reason=reason,
        )


@known
class PairingHere(MasqError):
    """The link is in use on this very device. `role`: what its page does there, "old" or "new"."""

    code = "PairingHere"
    names = ("role",)

    def __init__(self, role: str = "old") -> None:
        super().__init__(
            "This link was made on this very device, which has the profile already. Nothing was changed. Open it on "
            "the device that is to get the profile."
            if role == "old"
            else "This link is open in another page of the store on this device. Nothing was changed. Go on there, or "
            "close that page and make a new link.",
            role=role,
        )


@known
class OtherPage(MasqError):
    """A link for one app's page was used by another one's. `origin`: that one's."""

    code = "OtherPage"
    names = ("origin",)

    def __init__(self, origin: str = "") -> None:
        super().__init__(
            f"The link was used by a page of {origin or 'another app'}, which is not the one that opened this window. "
            "Nothing was given. Paste a link only into the strip of your store at the lower edge of the app's page.",
            origin=origin,
        )


@known
class ProfileHere(MasqError):
    """This device holds that profile already. `profile`: its name."""

    code = "ProfileHere"
    names = ("profile",)

    def __init__(self, profile: str = "") -> None:
        super().__init__(
            f"This device has the profile “{profile}” already, so there was nothing to bring here. Nothing was "
            "changed.",
            profile=profile,
        )


@known
class ProfileNotKept(PairingEnded):
    """The profile came over and could not be written here. `reason`: why, in a sentence."""

    code = "ProfileNotKept"
    names = ("reason",)

    def __init__(self, reason: str = "") -> None:
        super().__init__(
            f"The profile could not be kept on this device. {reason}{_LISTED} {_AGAIN}",
            reason=reason,
        )
