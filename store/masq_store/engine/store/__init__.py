"""The store's engine by its parts: devices, rosters, enrolments, sync of the profile, locking by itself.

Imports nothing of `engine.partition` and `engine.sessions`: the two engines do not know each other.
"""
