"""The engine of a partition: an app's copy beside a store that is elsewhere.

Imports nothing of `engine.pages` and `engine.engine`, and of `engine.store` only `auto_lock`, which is to be cut: the
two engines are to know nothing of each other.
"""
