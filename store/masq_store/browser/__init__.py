"""The entries of the worker and of the pages, and in `ports` the browser's side of the engine's ports.

What comes from JavaScript has no type: mypy sees no `js` and no `pyodide`, and takes each object of theirs for `Any`.
"""
