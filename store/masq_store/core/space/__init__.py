"""A space: a map of registers with its clock, subspaces, the index of its changes, their encoding, rules for its rows.

Imports nothing else of the core.
"""
