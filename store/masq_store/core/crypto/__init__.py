"""The key schedule, padding, and the primitives that the core asks its surroundings for.

Imports nothing else of the core.
"""
