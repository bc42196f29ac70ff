"""The line between a partition and the store, by a port or by a link, and app data kept in step over it.

Imports ports, `engine.storage` and `engine.pairing`; nothing of the two engines.
"""
