"""The engine of a partition: an app's copy beside a store that is elsewhere.

Imports nothing of `engine.store`, `engine.pages` and `engine.engine`: the two engines do not know each other.
"""
