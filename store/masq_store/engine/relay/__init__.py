"""Connections to relays, and the links over them that all rooms share.

Imports ports and `core.relay`; nothing else of the engine.
"""
