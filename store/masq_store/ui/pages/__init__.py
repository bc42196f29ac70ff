"""What each page knows and does.

Imports `ui.text`, `ui.html` and `ui.window`; nothing of `ui.app`.
"""
