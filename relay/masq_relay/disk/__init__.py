"""The relay's storage, one SQLite file: how it is written, read, and asked for from the event loop."""
