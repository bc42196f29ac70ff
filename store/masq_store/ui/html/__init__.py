"""What is shown: addresses, the model of each page, templates, QR codes.

Imports `ui.text`, and of the core `enrolment`, `pages` and `profile`; nothing of `ui.window`, `ui.pages` and `ui.app`.
"""
