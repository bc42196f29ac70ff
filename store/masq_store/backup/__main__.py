"""Read a Masq backup file on any machine with Python, so that nobody is locked in.

    python -m masq_store.backup FILE                    lists the profile and its apps
    python -m masq_store.backup FILE --app ORIGIN       lists the keys of one app
    python -m masq_store.backup FILE --json OUT         writes everything as plain JSON; - is standard output

Exit codes: 0 done · 1 the file cannot be read as a backup, and a sentence says why · 2 wrong arguments, or a
file that cannot be opened or written · 3 wrong passphrase.
"""

from __future__ import annotations

import argparse
import asyncio
import codecs
import getpass
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from masq.errors import MasqError
from masq_store.core.backup import container
from masq_store.core.backup.contents import Backup
from masq_store.core.errors import WrongPassphrase
from masq_store.engine.profile.backup import read_backup

LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last that datetime knows

DONE, UNREADABLE, MISUSED, LOCKED = range(4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    try:
        return _run(_parser().parse_args(arguments))
    except WrongPassphrase as error:
        return _fail(error.sentence, LOCKED)
    except MasqError as error:
        return _fail(error.sentence, UNREADABLE)
    except FileExistsError as error:
        return _fail(f"{error.filename} exists already. Nothing was written. Name another file.", MISUSED)
    except BrokenPipeError:
        sys.stdout = None  # the reader has gone: there is nobody to tell
        return DONE
    except UnicodeError:  # of a terminal in another encoding
        return _fail(
            "The passphrase came in characters that this terminal cannot tell. Write it into a file, as UTF-8, "
            "and name that with --passphrase-file.",
            MISUSED,
        )
    except OSError as error:
        return _fail(f"{error}.", MISUSED)
    except (EOFError, KeyboardInterrupt):
        return _fail("No passphrase was given.", MISUSED)


def _run(options: argparse.Namespace) -> int:
    try:
        from masq_store.native.crypto import NativeCrypto
    except ImportError:
        return _fail("Opening a backup needs one package more: pip install cryptography.", MISUSED)
    content = Path(options.file).read_bytes()
    container.decode_head(content)  # nobody is asked for the passphrase of what is no whole backup
    container.decode_frames(content)
    backup = asyncio.run(read_backup(NativeCrypto(), content, _passphrase(options)))
    if options.app is not None and options.app not in backup.spaces:
        known = "\n".join(f"  {origin}" for origin in backup.spaces) or "  none"
        return _fail(f"The app {_shown(options.app)} is not in this backup. These are:\n{known}", MISUSED)
    if options.json:
        _export(backup, options.app, options.json)
    else:
        print("\n".join(_listing(backup, options.app)))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m masq_store.backup",
        description="List what a Masq backup file holds, or export it as plain JSON.",
    )
    parser.add_argument("file", metavar="FILE", help="the backup file")
    parser.add_argument("--app", metavar="ORIGIN", help="only this app, such as https://tasks.example")
    parser.add_argument("--json", metavar="OUT", help="write plain JSON to OUT (- for standard output)")
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help="read the passphrase from the first line of this file instead of asking for it",
    )
    return parser


def _passphrase(options: argparse.Namespace) -> str:
    if options.passphrase_file is None:
        typed = getpass.getpass("Passphrase of the backup: ")
        typed.encode()  # a surrogate is a byte that was no character
        return typed
    return _first_line(options.passphrase_file)


def _first_line(name: str) -> str:
    """Return the first line of a file of text as editors write them: UTF-8, or with a mark that says what it is in."""
    content = Path(name).read_bytes()
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise OSError(f"The file {name} is not UTF-8: save it as that, and try again") from error
    return text.split("\n")[0].removesuffix("\r")


def _listing(backup: Backup, origin: str | None) -> list[str]:
    if origin is not None:
        keys = backup.spaces[origin].items()
        return [f"{len(text.encode()):>10,}  {_shown(key)}" for key, text in keys]
    manifest = backup.manifest
    made = datetime(1970, 1, 1) + timedelta(milliseconds=min(manifest.made_ms, LAST_MS))
    what = "the whole profile" if manifest.whole else "one app of the profile"
    lines = [f"Backup of {what} {_shown(manifest.name)}, made {made:%Y-%m-%d %H:%M} UTC"]
    if backup.spaces:
        lines += ["", f"{'keys':>10}  {'bytes':>12}  app"]
    for at, app in backup.apps().items():
        space = backup.spaces[at]
        withdrawn = "" if app["approved"] else ", withdrawn"
        lines.append(
            f"{len(space.items()):>10,}  {space.bytes:>12,}  {at}  ({_shown(app['name'])}{withdrawn})"
        )
    return lines


def _export(backup: Backup, origin: str | None, out: str) -> None:
    plain = backup.plain()
    if origin is not None:
        plain["apps"] = {origin: plain["apps"][origin]}
    text = json.dumps(plain, ensure_ascii=False, indent=1) + "\n"
    if out == "-":
        sys.stdout.buffer.write(text.encode())
        return
    # For the owner's eyes only: what was sealed is in the clear from here on.
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(text.encode())


def _shown(text: str) -> str:
    """Return text in quotes, with nothing in it that would steer a terminal, or that the output cannot hold."""
    return json.dumps(text, ensure_ascii=not text.isprintable() or not _holds(text))


def _holds(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")  # None: there is no output
    except UnicodeError:
        return False
    return True


def _fail(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
