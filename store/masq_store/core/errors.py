"""Errors that only the store knows, beside those of `masq.errors`."""

from __future__ import annotations

from masq.errors import MasqError, known


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
class NewerData(MasqError):
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
class DamagedData(MasqError):
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
