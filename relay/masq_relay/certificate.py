"""A certificate and its key, as the command line names them: read, or refused with a sentence that names the file."""

from __future__ import annotations

import ssl
from pathlib import Path

CERTIFICATE, KEY = b"CERTIFICATE-----", b"PRIVATE KEY-----"
"""How the first lines of the two end in PEM, whatever kind they are of."""


class BadCertificate(Exception):
    """The two cannot be used; the sentence says which file, why, and what to do."""


def server_context(certfile: str | None, keyfile: str | None) -> ssl.SSLContext | None:
    """Return what serves with the certificate; None where neither is given.

    Args:
        certfile: what --certfile names: a PEM file with the certificate, and its chain, and maybe its key.
        keyfile: what --keyfile names: a PEM file with the key, where that is a file of its own.

    Raises BadCertificate. Nobody is asked for a passphrase: the terminal may be nobody's.
    """
    if certfile is None:
        if keyfile is not None:
            raise BadCertificate("--keyfile goes with --certfile; give both.")
        return None
    _check_file("--certfile", certfile, CERTIFICATE, "certificate")
    _check_file("--keyfile", certfile if keyfile is None else keyfile, KEY, "private key")
    key = certfile if keyfile is None else keyfile
    asked: list[bool] = []

    def passphrase() -> str:
        asked.append(True)
        return ""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certfile, keyfile, password=passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        if asked:
            raise BadCertificate(
                f"The key in {key} is locked with a passphrase, which nobody is asked for: write it without one "
                f"(openssl pkey -in {key} -out plain.pem), and give that file with --keyfile."
            ) from error
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            raise BadCertificate(
                f"The key in {key} is not that of the certificate in {certfile}: give the two that belong together. "
                "Where the file holds a chain, the certificate of this server comes first."
            ) from error
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise BadCertificate(
            f"{certfile} and its key cannot be used ({reason}): both must be PEM."
        ) from error
    return context


def _check_file(option: str, name: str, mark: bytes, what: str) -> None:
    """Raise BadCertificate unless the file is there and holds what it is given for."""
    if not name:
        raise BadCertificate(f"{option} is empty: give it a file.")
    path = Path(name)
    if path.is_dir():
        raise BadCertificate(f"{name} is a folder: give {option} the file in it that holds the {what}.")
    if path.exists() and not path.is_file():
        return  # a pipe, which gives what it holds once
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BadCertificate(
            f"There is no file {name}, which {option} should name: it does not exist."
        ) from error
    except PermissionError as error:
        raise BadCertificate(
            f"This user may not read {name}: let it, or give {option} a copy that it may read."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadCertificate(
            f"{name} cannot be read ({getattr(error, 'strerror', None) or error})."
        ) from error
    if mark not in content:
        raise BadCertificate(
            f"{name} holds no {what} in PEM, which begins with a line of dashes: give the file that does with {option}."
        )
