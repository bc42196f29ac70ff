"""What the store's pages see of the engine, and the commands that they may give it.

Imports nothing of `engine.engine`, `engine.partition` and `engine.relay`.
"""
