"""The sentences of the engine's errors, in the reader's language.

The engine's own sentences are English and know most. Readers of another language get the sentence for the
error's code, and the engine's where there is none.
"""

from masq.errors import MasqError
from masq_store.core.errors import PairingEnded
from masq_store.ui.text.translation import N_, _, language

BY_CODE = {
    "Locked": N_("Your store is locked. Unlock it, then try again."),
    "NotRegistered": N_("This app has not been allowed, or was withdrawn."),
    "InvalidKey": N_("This name cannot be used for an entry: it is empty or too long. Nothing was changed."),
    "InvalidValue": N_("This cannot be kept. Nothing was changed."),
    "QuotaExceeded": N_(
        "There is no room for this. Nothing was changed. Free some room on this device, or delete some data, "
        "then try again."
    ),
    "StorageUnavailable": N_("This browser does not let Masq keep your data. Another browser may."),
    "NewerData": N_(
        "The data on this device was written by a newer version of Masq (format {found}; this one reads up "
        "to {known}). Nothing was changed. Reload to get the newer version."
    ),
    "DamagedData": N_(
        "Some of the data on this device is damaged. It was left as it is; restore it from a backup."
    ),
    "Superseded": N_("A newer part of Masq has taken over on this device. Nothing was changed. Reload."),
    "NotABackup": N_(
        "This file is not a backup made by Masq, or its beginning is gone. Nothing was changed. "
        "Choose the file that was saved as the backup."
    ),
    "DamagedBackup": N_(
        "This backup is damaged. Nothing was changed. Use another copy of the file, or an earlier backup."
    ),
    "TruncatedBackup": N_(
        "This backup is cut off: the file ends too early, as after a download or a copy that was not "
        "finished. Nothing was changed. Fetch or copy the file again, or use an earlier backup."
    ),
    "NewerBackup": N_(
        "This backup was made by a newer version of Masq (format {found}; this one reads up to {known}). "
        "Nothing was changed. Get the newer version, then restore it there."
    ),
    "WrongBackupPassphrase": N_(
        "This passphrase does not open the backup. It is the one that was chosen when the backup was made, "
        "which need not be your store's. Nothing was changed. Check it and try again."
    ),
    "RelayUnreachable": N_(
        "This device has no connection to the relay. What you change is kept on this device, and goes to your "
        "other devices once the relay can be reached. Check the network and the relay's address."
    ),
    "RelayRefused": N_(
        "The relay does not take what this device sends. What you change is kept on this device, which tries "
        "again by itself. If this stays, ask whoever runs the relay, or use another one."
    ),
    "SyncFailed": N_(
        "Masq failed while it kept this device in step with the others. Your data on this device is as it was. "
        "It tries again by itself; if this stays, reload the store for its newest version."
    ),
    "NoRelay": N_(
        "No relay is set, and it is at a relay that devices meet. Nothing was changed. Set a relay's address "
        "in the settings, on the device that has the profile, and make a new link there."
    ),
    "BadRelayAddress": N_(
        "This is not the address of a relay. Nothing was changed. It begins with wss:// and has no spaces, "
        "such as wss://relay.example; only a relay on this very device may be reached by ws://."
    ),
    "PairingHere": N_(
        "This link is in use on this very device. Nothing was changed. Open it on the device that is to get "
        "the profile."
    ),
    "ProfileHere": N_(
        "This device has the profile “{profile}” already, so there was nothing to bring here. Nothing was "
        "changed."
    ),
    "ProfileNotKept": N_("The profile could not be kept on this device."),
    "PairingNotServed": N_(
        "The relay did not take part, so the pairing was ended. Nothing was changed on this device."
    ),
    "BadPairingLink": N_(
        "This is not a link that adds a device, or a part of it is missing. Nothing was changed. Copy the "
        "whole link again, or scan the code that the other device shows."
    ),
    "PairingRefused": N_("The pairing was ended. Nothing was changed on this device."),
    "PairingExpired": N_(
        "The time for this pairing is over: a link is good for ten minutes. Nothing was changed."
    ),
    "PairingUsedTwice": N_(
        "This link was used twice, so the pairing was ended. Nothing was changed. If it was not you who "
        "opened it again, somebody else has seen the link: show the next one to nobody."
    ),
    "WrongPairingCode": N_(
        "The six digits were not those that the new device shows, so the pairing was ended. Nothing was "
        "changed. If they were typed as shown, somebody may have stepped in between: use another network "
        "and show the next link to nobody."
    ),
    "PairingGone": N_(
        "The other device does not answer any more: its page was closed, or it lost the network. Nothing was "
        "changed on this device. Keep the store open on both."
    ),
    "PairingOffline": N_(
        "This device could not reach the relay, where the two devices meet, so the pairing was ended. Nothing "
        "was changed on this device. Check the network and the relay's address."
    ),
    "PairingBroken": N_(
        "The two devices did not understand each other, so the pairing was ended. Nothing was changed on this "
        "device. Reload the store on both, so that both run the newest version."
    ),
    "ProtocolError": N_(
        "This page and the part of Masq that keeps your data did not understand each other, or what this was about is "
        "over. Reload the page, and look whether it was done."
    ),
    "ConnectionTimeout": N_("The part of Masq that keeps your data is not answering."),
    "Disconnected": N_(
        "The part of Masq that keeps your data stopped. Whether the change was made is not known: look first."
    ),
}

ADVICE = {
    "site data (cookies) for the store": N_(
        "Allow site data (cookies) for this site in the browser's settings."
    ),
    "reload the page, or else start the browser again": N_(
        "Reload the page, or else start the browser again."
    ),
    "it cannot keep a key, so this profile needs a passphrase": N_(
        "It cannot keep a key, so this profile needs a passphrase."
    ),
    "it cannot keep a key, so this profile needs its passphrase": N_(
        "It cannot keep a key, so this profile needs its passphrase."
    ),
}
"""What StorageUnavailable says in its `setting` or its `reason` that a reader can do."""


OURS = {
    "PassphraseNeeded": N_(
        "This lasts longer than your store is unlocked, so it needs your passphrase. Nothing was changed."
    ),
    "WrongPassphrase": N_("This passphrase does not open your store. Check it and try again."),
}
"""Said in every language: the page counts the waiting time down itself, and says `you` where the engine does not."""


PAIR_AGAIN = N_(
    "To try again, choose “Add a device” on the device that has the profile, and use the new link there."
)
MAYBE_LISTED = N_("If the other device lists this one already, remove it there.")
"""The engine's own sentences about a pairing hold these where they belong."""


LINKED = {
    "BadPairingLink": N_(
        "This is not the link that the store's window shows, or a part of it is missing. Copy the whole link, and "
        "paste it again."
    ),
    "PairingExpired": N_(
        "The time for this link is over: it is good for ten minutes, and while the window that shows it is open. "
        "Nothing was given. Use a new one."
    ),
    "PairingUsedTwice": N_(
        "This link was used already, and it works once. Nothing was given. Use a new one; if it was not you who used "
        "it, somebody else has seen it."
    ),
    "PairingGone": N_(
        "Nobody answers at the other end of this link: the store's window or the app's page was closed, or the link is "
        "for another page. Nothing was given. Use a new one."
    ),
    "PairingOffline": N_(
        "The relay, where the app's page and the store's window meet, cannot be reached. Nothing was given. Check the "
        "network, and use a new link."
    ),
    "PairingNotServed": N_(
        "The relay, where the app's page and the store's window meet, did not take part. Nothing was given. Use a new "
        "link, or set another relay in the store's settings."
    ),
    "PairingRefused": N_("Nothing was given. Use a new link if that was not what you wanted."),
    "PairingBroken": N_(
        "The app's page and the store's window did not understand each other. Nothing was given. Reload the app's "
        "page, and press its button again."
    ),
    "OtherPage": N_(
        "The link was used by a page of {origin}, which is not the one that opened this window. Nothing was given. "
        "Paste a link only into the strip of your store at the lower edge of the app's page."
    ),
    "NoRelay": N_(
        "This browser keeps the app's page from your store, and the app keeps its page from this window. Then they can "
        "meet only at a relay, and none is set. Set one in your store's settings, and press the app's button again. In "
        "Chromium it works without a relay, too, once you allow third-party cookies for your store."
    ),
}
"""What is said where a link joins an app's page and the store's window; at both ends."""


def said_of_link(error: MasqError) -> str:
    """Return what an error says of a link between an app's page and the store's window, in the reader's language."""
    sentence = LINKED.get(code_of(error))
    return _(sentence, **error.fields) if sentence else said(error)


def code_of(error: BaseException) -> str:
    """Return the error's code, by which its kind is known."""
    return str(getattr(error, "code", type(error).__name__))


def said(error: MasqError) -> str:
    """Return what `error` says, in the reader's language."""
    code = code_of(error)
    sentence = OURS.get(code) or (BY_CODE.get(code) if language() != "en" else None)
    if not sentence:
        return str(error)
    said = [_(sentence, **(error.fields or {"code": code}))]
    for field in ("reason", "setting"):
        if code == "StorageUnavailable" and (advice := ADVICE.get(str(error.fields.get(field)))):
            said = [_("This browser does not let Masq keep your data."), _(advice)]
    if error.fields.get("maybe_listed") or code == "ProfileNotKept":
        said.append(_(MAYBE_LISTED))
    if isinstance(error, PairingEnded):
        said.append(_(PAIR_AGAIN))
    return " ".join(said)


def said_of_name(error: MasqError) -> str:
    """Return what is wrong with a profile's name, in the reader's language."""
    if language() == "en":
        return f"This name cannot be used: {getattr(error, 'reason', error)}."
    return _("This name cannot be used. Choose another one.")
