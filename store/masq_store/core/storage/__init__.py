"""The formats of what stands on a disk: sealed records, and a checkpoint's contents.

Imports `core.crypto` and `core.space`, and nothing else of the core.
"""
