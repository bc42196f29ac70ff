"""The wire to a relay: frames, addresses, how long to wait before the next connection.

Imports `core.profile`, and nothing else of the core.
"""
