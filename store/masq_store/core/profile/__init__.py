"""A profile: what its home space holds, what apps say of themselves, names of devices, tries of a passphrase.

Imports `core.crypto`; of the rest of the core only `relay.address`, which is to be cut.
"""
