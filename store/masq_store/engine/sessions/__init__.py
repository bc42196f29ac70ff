"""Sessions of apps: their messages, whose turn it is, watches, requests for access, how long nobody used one.

Imports ports and `engine.storage`; nothing of profiles, sync, the two engines.
"""
