"""A start of `serve.py` beside another one: it says what to do, and what it says works."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_pair
from patience import seconds
from relay_rig import ROOT, healthy

Started = subprocess.Popen[str]


class Checkout:
    """A checkout with a small made-up dist/, and the starts of it, which end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("build", "relay"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("serve.py", "pyproject.toml"):
            shutil.copy(ROOT / name, folder / name)
        for name, content in (("store/store.json", "{}"), ("index/index.html", "start")):
            (folder / "dist" / name).parent.mkdir(parents=True)
            (folder / "dist" / name).write_text(content)
        self.started: list[Started] = []

    def start(self, *options: str) -> Started:
        """Start it; the options are those of a person."""
        program = subprocess.Popen(
            [sys.executable, "serve.py", *options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(program)
        return program

    def serving(self, *options: str) -> int:
        """Start it, wait until it serves, and return the port of its sites."""
        program = self.start(*options)
        assert program.stdout is not None and program.stderr is not None
        for line in program.stdout:
            if "start here" in line:
                return int(line.split()[0].rsplit(":", 1)[1])
        raise AssertionError(program.stderr.read())

    def refused(self, *options: str) -> str:
        """Start it, which must end by itself, and return what it says."""
        program = self.start(*options)
        _, told = program.communicate(timeout=seconds(60))
        assert (program.returncode, len(told.splitlines())) == (1, 1), told
        return told


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout."""
    checkout = Checkout(tmp_path)
    yield checkout
    for program in checkout.started:
        program.terminate()
        program.communicate()


def relay_of(port: int) -> str:
    """Return the relay that the store at this port tells of."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/store.json", headers={"Host": f"store.localhost:{port}"}
    )
    with urllib.request.urlopen(request, timeout=seconds(10)) as answer:
        return str(json.load(answer)["relay"])


@pytest.mark.parametrize("form", ["--port {}", "--port={}"])
def test_the_second_leads_where_it_says(checkout: Checkout, form: str) -> None:
    """It names a command, with the options that were given, and that one serves beside the first, with its relay."""
    port = free_pair()
    asked = ["--no-build", *form.format(port).split()]
    assert checkout.serving(*asked) == port
    told = checkout.refused(*asked)
    assert f"Port {port} is in use" in told
    python, script, *options = shlex.split(told.rpartition(": ")[2])
    assert (python, script) == ("python3", "serve.py")
    assert "--no-build" in options and str(port) not in options
    second = checkout.serving(*options)
    for each in (port, second):
        assert relay_of(each) == f"ws://localhost:{each + 1}"
        assert healthy(each + 1)


def test_a_second_without_a_relay_needs_one_port(checkout: Checkout) -> None:
    """Where no relay is started, or it has a port of its own, the next free port will do."""
    port = free_pair()
    checkout.serving("--no-build", "--no-relay", "--port", str(port))
    told = checkout.refused("--no-build", "--no-relay", "--port", str(port))
    options = shlex.split(told.rpartition(": ")[2])[2:]
    assert "--no-relay" in options
    checkout.serving(*options)


def test_a_relay_in_the_way_is_named_by_serves_options(checkout: Checkout) -> None:
    """A relay's port or folder that another one has is told with the options of `serve.py`."""
    port = free_pair()
    data = str(checkout.folder / "kept")
    checkout.serving("--no-build", "--port", str(port), "--relay-data", data)
    beside = ["--no-build", "--port", "0"]
    told = checkout.refused(*beside, "--relay-port", str(port + 1))
    assert f"Port {port + 1} is in use" in told and "give another with --relay-port" in told
    assert "--no-relay" in told and "masq-relay" not in told
    told = checkout.refused(*beside, "--relay-port", "0", "--relay-data", data)
    assert "another with --relay-data" in told
    checkout.serving(*beside, "--relay-port", "0")
