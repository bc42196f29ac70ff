"""How a checkout sets itself up on machines as people have them: pip's settings, terminals, two starts at once."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pip as pip_package
import pytest
from patience import seconds
from relay_rig import ROOT

from build.terminal import PLAIN

BASE: str = sys._base_executable  # type: ignore[attr-defined]
"""A Python that is not the environment's own."""

PROJECT = """
[project]
name = "masq"
version = "0.1.0"
[project.optional-dependencies]
build = ["tiny_thing==1.0"]
"""

ELSEWHERE = {
    "user": "true",
    "target": "{away}/target",
    "prefix": "{away}/prefix",
    "root": "{away}/root",
    "python": "{away}/python",
    "dry-run": "true",
    "no-deps": "true",
    "requirement": "{away}/requirements.txt",
    "quiet": "1",
}
"""Settings of pip with which nothing would come into the environment, or something else."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that needs one tiny package, which needs another; they lie in the folder `wheels`.

    Its environment is there, with pip and nothing else: to have that made takes longer than all the rest.
    """
    subprocess.run([BASE, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True)
    pip = Path(pip_package.__file__).parent
    (tmp_path / ".venv" / pip.relative_to(sys.prefix)).symlink_to(pip)
    shutil.copytree(ROOT / "build", tmp_path / "build", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "wheels").mkdir()
    for name, needs in (("tiny_thing", "Requires-Dist: tiny-other\n"), ("tiny_other", "")):
        facts = {
            f"{name}.py": "",
            f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}",
            f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{name}-1.0.dist-info/RECORD": "",
        }
        with zipfile.ZipFile(tmp_path / "wheels" / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            for file, text in facts.items():
                wheel.writestr(file, text)
    return tmp_path


def start(checkout: Path, settings: dict[str, str], **environment: str) -> subprocess.Popen[bytes]:
    """Start a program that enters the checkout's environment and prints where it is; pip is set as said."""
    program = checkout / "program.py"
    program.write_text(
        "from build.environment import enter\n"
        "enter(__file__)\n"
        "import sys, tiny_thing, tiny_other\n"
        "print(tiny_thing.__file__.startswith(sys.prefix))\n"
    )
    config = checkout / "pip.conf"
    lines = [f"{name} = {value}" for name, value in settings.items()]
    config.write_text("\n".join(["[global]", "no-index = true", *lines, "[install]", *lines]))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.Popen(
        [BASE, str(program)],
        env={
            **inherited,
            "PIP_CONFIG_FILE": str(config),
            "PIP_FIND_LINKS": str(checkout / "wheels"),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(program: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Return the exit status of a program that has been started, and what it printed."""
    out, err = program.communicate(timeout=seconds(120))
    return program.returncode, out.decode("latin-1"), err.decode("latin-1")


@pytest.mark.parametrize("place", ["file", "variables"])
def test_pips_settings_do_not_reach_in(checkout: Path, place: str) -> None:
    """Whatever pip is set to do with packages, here they come from where it says, all of them, into .venv."""
    away = checkout / "away"
    settings = {name: value.format(away=away) for name, value in ELSEWHERE.items()}
    if place == "file":
        found = ended(start(checkout, settings))
    else:
        variables = {"PIP_" + name.upper().replace("-", "_"): value for name, value in settings.items()}
        found = ended(start(checkout, {}, PYTHONPATH=str(checkout / "wheels"), **variables))
    assert (found[0], found[2]) == (0, ""), found
    assert found[1].endswith("True\n")
    assert not away.exists()


def test_what_pip_did_not_install_is_told(checkout: Path) -> None:
    """Where pip says that all went well and it did not, the sentence names what is missing, and nothing is marked."""
    rules = checkout / "build" / "pip_settings.py"
    rules.write_text(rules.read_text("utf-8").replace('"dry-run", ', ""), "utf-8")
    status, _, told = ended(start(checkout, {"dry-run": "true"}))
    assert status == 1
    assert "without tiny_thing==1.0" in told and "pip config list" in told
    assert "Traceback" not in told
    assert not (checkout / ".venv" / "masq-installed").exists()


def test_pips_broken_settings_are_told(checkout: Path) -> None:
    """Settings that pip cannot read end the start with pip's words, and no traceback."""
    status, _, told = ended(start(checkout, {"user": "perhaps\n]["}))
    assert status == 1
    assert "pip cannot read its own configuration" in told
    assert "Traceback" not in told


def test_two_first_starts_at_once(checkout: Path) -> None:
    """The second of two first starts says that it waits, and both come to stand in one whole environment."""
    programs = [start(checkout, {}) for _ in range(2)]
    ends = [ended(program) for program in programs]
    assert [(status, told) for status, _, told in ends] == [(0, ""), (0, "")], ends
    assert all(out.endswith("True\n") for _, out, _ in ends)
    filled = [out.count("Installing") for _, out, _ in ends]
    waited = [out.count("waiting for it") for _, out, _ in ends]
    assert sorted(filled) == [0, 1]
    assert waited == [1 - count for count in filled]


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [("ascii", b"..."), ("latin-1", b"..."), ("cp1252", b"\x85"), ("utf-8", "…".encode())],
)
def test_a_terminal_that_cannot_show_all_is_no_fault(checkout: Path, encoding: str, printed: bytes) -> None:
    """A program that enters the environment prints on any terminal, in characters that it has."""
    program = "from build.environment import enter; enter('-'); print('…', '“日”', '\\udcff'.strip())"
    done = subprocess.run(
        [BASE, "-c", program],
        cwd=checkout,
        env={**os.environ, "PYTHONIOENCODING": encoding, "MASQ_PYTHON": "here"},
        capture_output=True,
        timeout=seconds(60),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(printed + b" ")
    assert done.stdout.endswith(b"\\udcff\n")


def test_a_reader_that_has_gone_is_no_fault(checkout: Path) -> None:
    """Where nobody reads on, as behind `head`, a program ends and says nothing; other errors show."""
    program = "from build.environment import enter; enter('-')\nwhile True: print('line', flush=True)"
    settings = {**os.environ, "MASQ_PYTHON": "here"}
    with subprocess.Popen(
        [BASE, "-c", program], cwd=checkout, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None and started.stderr is not None
        started.stdout.readline()
        started.stdout.close()
        assert started.stderr.read() == b""
        assert started.wait(seconds(60)) == 1
    program = "from build.environment import enter; enter('-'); 1 / 0"
    done = subprocess.run([BASE, "-c", program], cwd=checkout, env=settings, capture_output=True)
    assert b"ZeroDivisionError" in done.stderr


def test_all_sentences_have_plain_characters() -> None:
    """Each character beyond ASCII that the programs print has one that stands for it on a plain terminal."""
    programs = [ROOT / "serve.py", ROOT / "build.py", ROOT / "tests" / "run.py", ROOT / "tests" / "matrix.py"]
    others = set()
    for path in [*programs, *(ROOT / "build").glob("*.py"), *(ROOT / "bench").glob("*.py")]:
        tree = ast.parse(path.read_text("utf-8"))
        printed = [
            each.value
            for node in ast.walk(tree)
            if isinstance(node, (ast.Call, ast.Assign, ast.Return, ast.AugAssign))
            for each in ast.walk(node)
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        others |= {character for text in printed for character in text if not character.isascii()}
    assert others
    assert others <= set(PLAIN)
