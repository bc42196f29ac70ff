"""The entries of the worker and of the pages, and in `ports` the browser's side of the engine's ports."""
