"""Text for the reader: translation, sentences for errors, numbers and dates, values as text.

Imports `core.pages`; nothing of `ui.html`, `ui.window`, `ui.pages` and `ui.app`.
"""
