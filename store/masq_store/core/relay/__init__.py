"""The wire to a relay: frames, and how long to wait before the next connection.

Imports nothing else of the core.
"""
