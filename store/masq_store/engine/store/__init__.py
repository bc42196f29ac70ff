"""The store's engine by its parts: the active profile, what its apps may do, devices, rosters, enrolments, sync of the
profile, locking by itself.

Imports nothing of `engine.partition`, for the two engines are to know nothing of each other, nor of `engine.pages`.
"""
