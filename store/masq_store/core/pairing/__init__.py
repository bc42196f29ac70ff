"""Two devices that meet by a link and six digits: messages, keys, and the machine of each.

Imports `core.crypto`, `core.profile` and `core.relay`; nothing of spaces, sync, storage.
"""
