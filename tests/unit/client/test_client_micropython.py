"""The client under PyScript's MicroPython, in node."""

import os
import subprocess
from pathlib import Path

from node_rig import find_node
from patience import seconds

ROOT = Path(__file__).parents[3]
PACKAGE = "@micropython/micropython-webassembly-pyscript"

SCRIPT = """
import {readFileSync, readdirSync} from "node:fs";
const {loadMicroPython} = await import(process.argv[1]);
const python = await loadMicroPython({});
python.FS.mkdir("/lib");
python.FS.mkdir("/lib/masq");
for (const name of readdirSync(process.argv[2]).filter(name => name.endsWith(".py")))
  python.FS.writeFile("/lib/masq/" + name, readFileSync(process.argv[2] + "/" + name));
python.runPython("import sys; sys.path.append('/lib')");
await python.runPythonAsync(readFileSync(process.argv[3], "utf8") + "await main()");
process.exit(0);
"""


def find_micropython():
    """Return PyScript's MicroPython, from $MASQ_NODE_MODULES or node_modules of the checkout."""
    modules = Path(os.environ.get("MASQ_NODE_MODULES", ROOT / "node_modules"))
    found = modules / PACKAGE / "micropython.mjs"
    assert found.exists(), f"{PACKAGE} is missing in {modules}: run `npm ci`, or set MASQ_NODE_MODULES"
    return found.as_uri()


def test_the_client_runs_under_micropython():
    """The whole package is imported there, and a Store talks to a store in memory: scene_micropython.py."""
    done = subprocess.run(
        [
            find_node(),
            "--input-type=module",
            "-e",
            SCRIPT,
            find_micropython(),
            str(ROOT / "client" / "masq"),
            str(ROOT / "tests" / "rig" / "scene_micropython.py"),
        ],
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert done.stdout.splitlines()[-1:] == ["ALL WELL"], done.stdout[-2000:] + done.stderr[-2000:]
