"""Replication of a space through its room: messages, envelopes, the room's log, the machine.

Imports `core.crypto` and `core.space`, and nothing else of the core.
"""
