"""A space in its room at a relay: who is there, what is sealed for them, when a snapshot is posted.

Imports ports, `engine.storage` and `engine.relay`; nothing of profiles, sessions, the two engines.
"""
