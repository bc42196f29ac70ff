"""The store's pages: what the engine tells them.

Imports nothing.
"""
