"""The ports' CPython side."""
