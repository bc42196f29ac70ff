"""Connections to relays, and the links over them that all rooms share.

Imports ports, `core.relay`, and of `core.profile` what a relay's address is; nothing else of the engine.
"""
