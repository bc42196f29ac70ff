"""A backup: what it holds, and the file around it.

Imports `core.crypto`, `core.profile` and `core.space`; nothing of sync, relay, pairing.
"""
