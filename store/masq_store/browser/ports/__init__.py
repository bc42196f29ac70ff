"""The browser's side of the engine's ports: storage, cryptography, sockets, messages, locks, its event loop.

Imports nothing of the engine and of the pages.
"""
