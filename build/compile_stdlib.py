"""Runs inside Pyodide at build time: compiles its whole standard library. Writes the tree /build/stdlib."""

import marshal
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

TARGET = Path("/build/stdlib")

zipped = next(entry for entry in sys.path if entry.endswith(".zip"))
with zipfile.ZipFile(zipped) as archive:
    for name in archive.namelist():
        if name.endswith("/"):
            continue
        content = archive.read(name)
        if name.endswith(".py"):
            # As Python compiles them itself: with docstrings and asserts. No time or path of the building machine.
            code = compile(content, name, "exec", dont_inherit=True, optimize=0)
            name, content = name + "c", MAGIC_NUMBER + bytes(12) + marshal.dumps(code)
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
