"""Two devices that meet by a link and six digits: messages, keys, and the machine of each.

Imports `core.crypto` and `core.profile`; nothing of relays, spaces, sync, storage.
"""
