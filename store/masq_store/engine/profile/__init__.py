"""A profile's keys and spaces: how it is locked, unlocked, renewed and backed up.

Imports ports and `engine.storage`; nothing of sessions, sync, the two engines.
"""
