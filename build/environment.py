"""The checkout's own virtual environment: made, filled with pinned packages and entered. Standard library only."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from build import pip_settings
from build.lock import lock
from build.places import PROJECT, ROOT, VENV, BuildError
from build.terminal import make_steady

STAMP = VENV / "masq-installed"
"""Names what is installed; it is written last, so an installation that was cut short has none."""

OFFLINE = (
    "NewConnectionError",
    "ConnectTimeout",
    "Temporary failure",
    "Max retries",
    "(from versions: none)",
    "timed out",
)


def environment_python() -> Path:
    """Return where the environment's Python is, or would be."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _inside() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def requirements(groups: tuple[str, ...]) -> list[str]:
    """Return the exact requirements of these groups of pyproject.toml."""
    return [line for group in groups for line in PROJECT["optional-dependencies"][group]]


def _fingerprint(groups: tuple[str, ...]) -> str:
    text = "\n".join([sys.version.split()[0], str(VENV), *sorted(requirements(groups))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _stamps() -> set[str]:
    return set(STAMP.read_text().split()) if STAMP.is_file() else set()


def _installed(groups: tuple[str, ...]) -> bool:
    return all(_fingerprint((group,)) in _stamps() for group in groups) and environment_python().exists()


def _run(*command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a Python, which sees nothing of the person's settings of pip unless `environment` has them."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment or pip_settings.neutral(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def _has_pip() -> bool:
    return (
        environment_python().exists()
        and _run(str(environment_python()), "-m", "pip", "--version").returncode == 0
    )


def _make() -> list[str]:
    """Make the environment if it is not whole. Returns the command that installs into it."""
    if _has_pip():
        return [str(environment_python()), "-m", "pip"]
    print(f"Making a virtual environment in {VENV.name} …", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)  # half-finished, or of a Python that is gone
    failed = "this Python has no ensurepip"
    if importlib.util.find_spec("ensurepip"):
        done = _run(sys.executable, "-m", "venv", str(VENV))
        if done.returncode == 0 and _has_pip():
            return [str(environment_python()), "-m", "pip"]
        failed = (done.stderr or done.stdout).strip().splitlines()[-1:] or [failed]
        failed = failed[0]
    if importlib.util.find_spec("virtualenv"):
        shutil.rmtree(VENV, ignore_errors=True)
        if _run(sys.executable, "-m", "virtualenv", str(VENV)).returncode == 0 and _has_pip():
            return [str(environment_python()), "-m", "pip"]
    if importlib.util.find_spec("pip"):
        shutil.rmtree(VENV, ignore_errors=True)
        if _run(sys.executable, "-m", "venv", "--without-pip", str(VENV)).returncode == 0:
            return [sys.executable, "-m", "pip", "--python", str(environment_python())]
    shutil.rmtree(VENV, ignore_errors=True)
    raise BuildError(
        f"A virtual environment could not be made ({failed}). On Debian or Ubuntu, run: sudo apt install python3-venv. "
        "Elsewhere, install Python's venv and ensurepip modules, or virtualenv; then start again."
    )


def install(groups: tuple[str, ...] = ("build",)) -> None:
    """Make sure that the environment exists and holds these groups' packages. Quick where it does.

    Raises BuildError with a sentence where it cannot be.
    """
    if _installed(groups):
        return
    with lock("environment", "Another start is setting up here; waiting for it …"):
        if not _installed(groups):
            _fill(groups)


def _fill(groups: tuple[str, ...]) -> None:
    pip = _make()
    settings = _pip_settings(pip)
    print(f"Installing {', '.join(groups)} requirements (the first time only) …", flush=True)
    # What else is installed stays so: groups that share a package name the same version of it.
    others = {_fingerprint((group,)) for group in PROJECT["optional-dependencies"]} & _stamps()
    STAMP.unlink(missing_ok=True)
    done = _run(
        *pip,
        *("install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *requirements(groups),
        environment={**pip_settings.neutral(os.environ), **settings},
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-3:])
        if any(sign in done.stderr for sign in OFFLINE):
            raise BuildError(
                f"Packages could not be fetched; is the network up? Start again when it is. pip says:\n{last}"
            )
        raise BuildError(f"pip could not install what the build needs:\n{last}")
    if lacking := _lacking(groups):
        raise BuildError(
            f"pip said that all went well, and {VENV.name} is without {', '.join(lacking)}. "
            "Does a setting of pip's send packages elsewhere? It lists them: python3 -m pip config list"
        )
    STAMP.write_text("\n".join(others | {_fingerprint((group,)) for group in groups}))


def _pip_settings(pip: list[str]) -> dict[str, str]:
    """Return what counts here of the person's settings of pip, as environment variables."""
    asking = pip_settings.asking(os.environ, str(environment_python()))
    listed = _run(*pip, "config", "list", environment=asking)
    if listed.returncode:
        last = "\n".join(listed.stderr.strip().splitlines()[-3:])
        raise BuildError(
            f"pip cannot read its own configuration. Mend it, and start again. pip says:\n{last}"
        )
    return pip_settings.counting(listed.stdout)


def _lacking(groups: tuple[str, ...]) -> list[str]:
    """Return the requirements that the environment does not hold, without those for some systems only."""
    wanted = [line for line in requirements(groups) if ";" not in line]
    program = (
        "import sys; from importlib.metadata import distributions as all;"
        "have = {f'{d.name}=={d.version}'.lower().replace('_', '-') for d in all()};"
        "print(*[line for line in sys.argv[1:] if line.lower().replace('_', '-') not in have])"
    )
    done = _run(str(environment_python()), "-I", "-c", program, *wanted)
    return done.stdout.split() if done.returncode == 0 else wanted


def enter(script: str, groups: tuple[str, ...] = ("build",)) -> None:
    """Run `script` in the checkout's environment from here on: returns when inside, else starts it there anew.

    What is printed from here on suits the terminal. MASQ_PYTHON=here stays with the Python that runs, for those who
    bring their own environment.
    """
    make_steady()
    if os.environ.get("MASQ_PYTHON") == "here":
        return
    try:
        install(groups)
    except BuildError as error:
        sys.exit(str(error))
    if _inside():
        return
    command = [str(environment_python()), script, *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
