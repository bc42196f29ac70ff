"""A profile: what its home space holds, what apps say of themselves, names of devices, addresses of relays, tries of a
passphrase.

Imports `core.crypto`, and nothing else of the core.
"""
