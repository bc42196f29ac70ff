"""The file: made, or opened and brought up to date.

WAL with synchronous=FULL: when a commit returns, what it wrote has been given to the disk with fsync.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from masq_relay.disk.age import WEEK_MS
from masq_relay.disk.reading import Reading
from masq_relay.disk.records import DiskFailed
from masq_relay.disk.writing import Disk

FILE = "relay.sqlite3"
SCHEMA_VERSION = 2
APPLICATION_ID = 0x4D415351  # "MASQ": tells this file from another program's

SCHEMA = """
CREATE TABLE room (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, token BLOB NOT NULL, touched INTEGER NOT NULL,
    start INTEGER NOT NULL DEFAULT 0, trimmed INTEGER NOT NULL DEFAULT 0, snapshot INTEGER
) STRICT;
CREATE INDEX room_touched ON room (touched);
CREATE TABLE sheet (
    key INTEGER PRIMARY KEY, first INTEGER NOT NULL, time INTEGER NOT NULL, total INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL, number INTEGER NOT NULL, tag BLOB NOT NULL,
    parts INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX snapshot_room ON snapshot (room);
CREATE TABLE part (key INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE refuse (id INTEGER PRIMARY KEY, parts INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL)
STRICT;
"""
MARKS = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
SINCE_2 = f"""
ALTER TABLE room ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN maker BLOB;
ALTER TABLE room ADD COLUMN alone BLOB;
CREATE INDEX room_alone ON room (id) WHERE alone IS NOT NULL;
CREATE INDEX refuse_low ON refuse (low);
CREATE TABLE age (ms INTEGER NOT NULL) STRICT;
INSERT INTO age SELECT CASE WHEN EXISTS (SELECT 1 FROM room) THEN {WEEK_MS} ELSE 0 END;
UPDATE room SET touched = {WEEK_MS};
"""
"""What version 2 has besides. `touched` was a date, and is an age now; rooms of version 1 are old ones."""


class UnusableData(Exception):
    """The data directory cannot be used; the sentence says why, for the person who starts the relay."""


def open_disk(folder: Path) -> tuple[Disk, Reading]:
    """Open or make the file in `folder`. Raises UnusableData with a sentence for the person who starts the relay."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
        writer = _connect(path)
        version = writer.execute("PRAGMA user_version").fetchone()[0]
        owner = writer.execute("PRAGMA application_id").fetchone()[0]
        if version == 0 and not writer.execute("SELECT 1 FROM sqlite_master").fetchall():
            writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _careful(writer)
            writer.executescript(f"BEGIN; {SCHEMA}; {SINCE_2}; {MARKS}; COMMIT")
        elif owner != APPLICATION_ID:
            raise UnusableData(
                f"{path} belongs to another program: give the relay a folder of its own with --data."
            )
        elif version > SCHEMA_VERSION:
            raise UnusableData(
                f"{path} was written by a newer relay (its version is {version}, this relay knows {SCHEMA_VERSION}): "
                "start that one, or give another folder with --data."
            )
        else:
            _careful(writer)
            if version < SCHEMA_VERSION:
                writer.executescript(f"BEGIN; {SINCE_2}; {MARKS}; COMMIT")
        reader = _connect(path)
        reader.execute("PRAGMA query_only = ON")
        disk = Disk(writer)
        disk.clean_up()
        disk.grow_older(disk.age_ms())  # a file that cannot be written is told now, not by the first envelope
        return disk, Reading(reader)
    except (sqlite3.Error, DiskFailed) as error:
        raise UnusableData(
            f"{path} cannot be used ({error}): make it writable for this user, or give another folder "
            "with --data."
        ) from error
    except OSError as error:
        raise UnusableData(
            f"The folder {folder} cannot be used ({error.strerror}): give another with --data."
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    # Made here, used by one other thread: never by two.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


def _careful(writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("PRAGMA journal_size_limit = 67108864")
