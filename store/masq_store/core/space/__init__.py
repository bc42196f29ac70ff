"""A space: a map of registers with its clock, the index of its changes, their encoding, rules for rows from outside.

Imports nothing else of the core.
"""
