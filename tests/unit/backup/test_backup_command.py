"""The backup tool on terminals and with files as people have them."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from engine_rig import APP, Rig
from patience import seconds
from relay_rig import ROOT
from skipping import skipping

from masq_store.backup.__main__ import main
from masq_store.engine.profile.backup import write_backup

VECTOR = json.loads((ROOT / "tests" / "vectors" / "backup.json").read_text("utf-8"))
NAME = "Zoë 日本 😀"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """The known file."""
    path = tmp_path / "backup"
    path.write_bytes(bytes.fromhex(VECTOR["file"]))
    return path


def run(*arguments: str, encoding: str, typed: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run the tool as a program whose terminal has this encoding. Returns its status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "masq_store.backup", *arguments],
        env={
            "PYTHONPATH": os.pathsep.join([str(ROOT / "client"), str(ROOT / "store")]),
            "PYTHONIOENCODING": encoding,
            "PATH": "",
        },
        input=typed,
        capture_output=True,
        timeout=seconds(60),
        start_new_session=True,  # no terminal: the passphrase is read from standard input
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "write",
    [
        str.encode,
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with a mark", "utf-16", "utf-16, big end first"],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nanother line\n"], ids=repr)
def test_a_passphrase_file_of_any_editor(backup: Path, tmp_path: Path, write, end: str) -> None:
    """The first line of a text file is the passphrase, whichever marks and line ends the editor puts there."""
    words = tmp_path / "words"
    words.write_bytes(write(VECTOR["passphrase"] + end))
    assert main([str(backup), "--passphrase-file", str(words)]) == 0


@pytest.mark.parametrize("content", [b"caf\xe9", codecs.BOM_UTF16_LE + b"a"])
def test_a_passphrase_file_that_is_no_text(backup: Path, tmp_path: Path, capsys, content: bytes) -> None:
    """It is named, with what to do, in words for people."""
    words = tmp_path / "words"
    words.write_bytes(content)
    assert main([str(backup), "--passphrase-file", str(words)]) == 2
    told = capsys.readouterr().err
    assert f"{words} is not UTF-8: save it as that" in told and "codec" not in told


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_a_terminal_cannot_show(tmp_path: Path, encoding: str) -> None:
    """They are listed in escapes, as JSON has them, and as they are where the terminal can show them."""

    async def written() -> bytes:
        rig = await Rig().start()
        tab = await rig.approved(APP)
        await tab.call("set", NAME, 1)
        assert rig.engine.profile is not None
        return await write_backup(rig.engine.profile, rig.crypto, "word", now_ms=rig.now, iterations=10)

    path = tmp_path / "backup"
    path.write_bytes(skipping(written(), seconds(60)))
    (tmp_path / "words").write_text("word", "utf-8")
    words = ["--passphrase-file", str(tmp_path / "words")]
    status, out, told = run(str(path), *words, "--app", APP, encoding=encoding)
    assert (status, told) == (0, b"")
    shown = json.dumps(NAME, ensure_ascii=encoding != "utf-8")
    assert shown in out.decode(encoding)


def test_a_passphrase_typed_in_another_encoding(backup: Path) -> None:
    """What a terminal cannot tell as characters ends in a sentence that names the other way, not in a traceback."""
    for encoding in ("ascii:surrogateescape", "ascii", "utf-8:surrogateescape", "utf-8"):
        status, _, told = run(str(backup), encoding=encoding, typed=b"caf\xe9\n")
        assert status == 2
        assert b"--passphrase-file" in told and b"Traceback" not in told
