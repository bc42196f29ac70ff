"""The window: its document, focus, files, camera, and what it remembers.

Imports `ui.text` and `ui.html`; nothing of `ui.pages` and `ui.app`.
"""
