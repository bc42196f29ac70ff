"""A partition and the store: what they say to each other, by a port or by a link, and what a roster holds.

Imports `core.crypto`, `core.pairing`, `core.profile` and `core.relay`; nothing of spaces, sync, storage.
"""
