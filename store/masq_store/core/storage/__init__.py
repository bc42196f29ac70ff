"""What stands on a disk: sealed records, and what a checkpoint holds.

Imports `core.crypto` and `core.space`, and nothing else of the core.
"""
