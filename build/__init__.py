"""The pieces of `build.py` and `serve.py`: what turns the sources into the static site in `dist/`.

`places` and `environment` and `server` need nothing but the standard library, so that `serve.py` starts on a bare machine.
"""
