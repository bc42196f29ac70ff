"""The window: its document, focus, files, camera, and what it remembers.

Imports `ui.text`, `ui.html` and `core.pages`; nothing of `ui.pages` and `ui.app`.
"""
