"""A partition and the store: what they say to each other, by a port or by a link, and what a roster holds.

Imports `core.crypto`, `core.pairing` and `core.profile`; nothing of relays, spaces, sync, storage.
"""
