"""Certificates and keys that cannot be used, as `serve.py` and the relay name them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from patience import seconds
from relay_rig import ROOT, certificate

from build.certificate import BadCertificate
from build.server import SiteServer
from masq_relay.settings import BadSettings, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a person may have at hand: one of each kind of file."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "live").mkdir()
    both = certificate(folder)
    content = both.read_bytes()
    at = content.index(b"-----BEGIN PRIVATE KEY")
    (folder / "cert.pem").write_bytes(content[:at])
    (folder / "key.pem").write_bytes(content[at:])
    (folder / "other.pem").write_bytes(certificate(folder / "live").read_bytes()[at - 10 :])
    locked = serialization.load_pem_private_key(content[at:], None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    (folder / "locked.pem").write_bytes(locked)
    (folder / "both-locked.pem").write_bytes(content[:at] + locked)
    (folder / "cert.der").write_bytes(b"0\x82\x01\x0a" + bytes(range(256)))
    (folder / "cut.pem").write_bytes(content[: at - 200] + b"\n-----END CERTIFICATE-----\n" + content[at:])
    return folder


CASES = [
    (None, "key.pem", "--keyfile goes with --certfile"),
    ("", None, "--certfile is empty"),
    ("cert.pem", "", "--keyfile is empty"),
    ("none.pem", None, "There is no file .*none.pem, which --certfile"),
    ("cert.pem", "none.pem", "There is no file .*none.pem, which --keyfile"),
    ("live", None, "live is a folder: give --certfile the file in it that holds the certificate"),
    ("cert.pem", "live", "live is a folder: give --keyfile the file in it that holds the private key"),
    ("both-locked.pem", None, "both-locked.pem is locked with a passphrase.*openssl pkey.*--keyfile"),
    ("cert.pem", "locked.pem", "locked.pem is locked with a passphrase"),
    ("cert.pem", None, "cert.pem holds no private key.*--keyfile"),
    ("key.pem", "cert.pem", "key.pem holds no certificate.*--certfile"),
    ("cert.der", "key.pem", "cert.der holds no certificate"),
    ("cert.pem", "live/both.pem", "live/both.pem is not that of the certificate in"),
    ("cut.pem", None, "cut.pem and its key cannot be used"),
    ("a\0b", None, "cannot be read"),
]


def paths(folder: Path, *names: str | None) -> list[str | None]:
    """Return the files' paths; what was not given, or is empty, stays so."""
    return [str(folder / name) if name else name for name in names]


@pytest.mark.parametrize(("certfile", "keyfile", "words"), CASES)
def test_what_cannot_be_used_is_named(
    folder: Path, certfile: str | None, keyfile: str | None, words: str
) -> None:
    """Both programs refuse it with the same sentence, which names the file, the option and what helps."""
    cert, key = paths(folder, certfile, keyfile)
    options = [f"--certfile={cert}"] * (cert is not None) + [f"--keyfile={key}"] * (key is not None)
    with pytest.raises(BadCertificate, match=words) as served:
        SiteServer(folder, certfile=cert, keyfile=key)
    with pytest.raises(BadSettings) as relayed:
        read(options)
    assert str(served.value) == str(relayed.value)


def test_a_key_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of another user's, as certbot leaves them, is named."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root, who may run this, may read every file
    with pytest.raises(BadCertificate, match="may not read .*cert.pem"):
        SiteServer(folder, certfile=str(folder / "cert.pem"), keyfile=str(folder / "key.pem"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_certificate_out_of_a_pipe(folder: Path, tmp_path: Path) -> None:
    """What gives its content only once, as a shell's <(…) does, is read once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=((folder / "cert.pem").read_bytes(),), daemon=True).start()
    server = SiteServer(folder, certfile=str(pipe), keyfile=str(folder / "key.pem"))
    assert server.url().startswith("https://")
    server.server_close()


def test_the_program_ends_with_the_sentence(folder: Path) -> None:
    """`serve.py` with a locked key or a key alone asks nobody, serves nothing, and ends with one sentence."""
    for options in (
        ["--certfile", str(folder / "both-locked.pem")],
        ["--keyfile", str(folder / "key.pem")],
    ):
        done = subprocess.run(
            [sys.executable, str(ROOT / "serve.py"), "--no-build", "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds(60),
            start_new_session=True,  # no terminal to ask on
        )
        assert done.returncode == 1, done
        assert len(done.stderr.splitlines()) == 1
