"""What is shown: addresses, the model of each page, templates, QR codes.

Imports `ui.text`; nothing of `ui.window`, `ui.pages` and `ui.app`.
"""
