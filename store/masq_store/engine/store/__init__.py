"""The store's engine by its parts: devices, rosters, enrolments, sync of the profile, locking by itself.

Imports nothing of `engine.partition`, for the two engines are to know nothing of each other, and of `engine.sessions`
nothing but `idle`.
"""
