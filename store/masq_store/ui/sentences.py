"""What errors of the engine say to the reader.

The engine's own sentences are English and know most. Readers of another language get the sentence for the
error's code, and the engine's where there is none.
"""

from masq.errors import MasqError

from .words import N_, _, language

BY_CODE = {
    "Locked": N_("Your store is locked. Unlock it, then try again."),
    "NotRegistered": N_("This app has not been allowed, or was withdrawn."),
    "InvalidKey": N_("This name cannot be used for an entry: it is empty or too long. Nothing was changed."),
    "InvalidValue": N_("This cannot be kept. Nothing was changed."),
    "QuotaExceeded": N_("There is no room for this. Nothing was changed. Delete something first."),
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
    "ConnectionTimeout": N_("The part of Masq that keeps your data is not answering."),
    "Disconnected": N_(
        "The part of Masq that keeps your data stopped. Whether the change was made is not known: look first."
    ),
}

OURS = {
    "WrongPassphrase": N_("This passphrase does not open your store. Check it and try again."),
}
"""Said in every language, because the page counts the waiting time down itself."""


def code_of(error: BaseException) -> str:
    """Return the error's code, by which its kind is known."""
    return str(getattr(error, "code", type(error).__name__))


def said(error: MasqError) -> str:
    """Return what `error` says, in the reader's language."""
    code = code_of(error)
    sentence = OURS.get(code) or (BY_CODE.get(code) if language() != "en" else None)
    return _(sentence, **(error.fields or {"code": code})) if sentence else str(error)


def said_of_name(error: MasqError) -> str:
    """Return what is wrong with a profile's name, in the reader's language."""
    if language() == "en":
        return f"This name cannot be used: {getattr(error, 'reason', error)}."
    return _("This name cannot be used. Choose another one.")
