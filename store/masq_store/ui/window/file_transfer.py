"""Files between the reader and the engine, piece by piece."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from masq_store.core.pages.schema import CurrentProfile, FoundEntries, ListedApp, OfferedFile
from masq_store.ui.window.screen import Link, Screen

PIECE = 512 * 1024  # bytes; the engine takes up to 1 MiB at once
ENTRIES = 500  # asked for at once; the engine gives no more

Report = Callable[[int, int], None]
"""Called with how much is done, of how much."""


def file_name(*parts: str, ending: str) -> str:
    """Return "masq-part-part.ending" of letters, digits and dashes; what else `parts` hold becomes a dash."""
    clean = (re.sub(r"[^\w.]+", "-", part).strip("-.")[:40] for part in ("masq", *parts))
    return "-".join(part for part in clean if part) + "." + ending


async def fetch_backup(link: Link, screen: Screen, made: OfferedFile, name: str, report: Report) -> None:
    """Bring the backup that the engine has `made` into the reader's downloads, and let the engine forget it."""
    try:
        download = screen.download(name)
        for number in range(made["pieces"]):
            report(number, made["pieces"])
            download.add(b64decode(await link.call("backup_piece", made["id"], number)))
        report(made["pieces"], made["pieces"])
        download.finish()
    finally:
        await link.call("drop_file", made["id"])


async def send_file(link: Link, screen: Screen, field: str, size: int, report: Report) -> str:
    """Hand the file chosen in `field` to the engine; return the engine's name for it."""
    name: str = await link.call("begin_file")
    for start in range(0, size, PIECE):
        report(start, size)
        piece = await screen.read_file(field, start, min(start + PIECE, size))
        await link.call("file_piece", name, b64encode(piece).decode())
    report(size, size)
    return name


async def export(
    link: Link,
    screen: Screen,
    about: ListedApp,
    profile: CurrentProfile,
    name: str,
    now_ms: int,
    report: Report,
) -> None:
    """Bring an app's entries into the reader's downloads as plain JSON: the form of docs/backup.md."""
    head = {"masq": "export", "format": 1, "profile": profile["name"], "made_ms": now_ms}
    app = {"name": about["name"], "approved": True}
    download = screen.download(name)
    text = _open(head) + ', "apps": {' + _text(about["origin"]) + ": " + _open(app) + ', "entries": {'
    after, done, more, comma = "", 0, True, "\n"
    while more:
        answer: FoundEntries = await link.call("entries", about["origin"], "", after, ENTRIES, profile["id"])
        for key, packed in answer["entries"]:
            text += f"{comma}{_text(key)}: {_text(packed)}"
            after, comma = key, ",\n"
        download.add(text.encode())
        text = ""
        done += len(answer["entries"])
        report(done, max(done, about["keys"]))
        more = bool(answer["more"] and answer["entries"])
    download.add(b"\n}}}}\n")
    download.finish()


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _open(record: dict[str, object]) -> str:
    """Return a record's JSON without the closing bracket."""
    return _text(record)[:-1]
