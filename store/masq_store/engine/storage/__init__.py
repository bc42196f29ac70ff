"""Spaces on a disk: names of keys, sealing, opening, writing, flushing, the trash, what damage leaves.

Imports ports and the core's crypto, space and storage; nothing else of the engine.
"""
