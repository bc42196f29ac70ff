"""Sessions of apps: messages, what each may do, whose turn it is, watches, requests for access, unused time.

Imports ports and `engine.storage`; nothing of profiles, sync, the two engines.
"""
