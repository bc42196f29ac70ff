"""The engine of a partition: an app's copy beside a store that is elsewhere.

Imports nothing of `engine.pages`, `engine.store` and `engine.engine`: the two engines know nothing of each other.
"""
