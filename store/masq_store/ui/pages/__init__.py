"""The pages: what each of them knows and does.

Imports `ui.text`, `ui.html`, `ui.window`, and of the core `pages`, `pairing` and `profile`; nothing of `ui.app`.
"""
