"""The pieces of `build.py` and `serve.py`: what turns the sources into the static site in `dist/`.

`places`, `environment` and `server` need only the standard library, so that `serve.py` starts on a bare machine.
"""
