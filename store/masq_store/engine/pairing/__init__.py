"""A meeting at a relay, for two devices or for an app's page and the store.

Imports `engine.relay`; nothing else of the engine.
"""
