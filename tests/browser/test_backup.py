"""Backup and restore, as a person does it: the file is downloaded, the browser is wiped, and all is there again."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.steps import click, connect_test_app, find, is_shown, make_profile, py, text, until
from browser.test_at_rest import dump
from conftest import Site

from build.places import ROOT
from masq.messages import encode_packed

WORDS = "backup words"
APPS = ("pyodide", "pyodide-too")  # for MicroPython writes no canonical text, of which the digests are

FILL = """
item = lambda n: {'n': n, 'text': 'héllo 😀' * (n % 7), 'raw': bytes(range(n % 250))}
await store.update({f'item/{n:04}': item(n) for n in range(500)})
await store.update({'big': 2**100, 'float': 0.1, 'none': None, 'gone': 1})
for by in (3, -1, 40):
    await store.increment('count', by)
await store.delete('gone')
"""

DIGEST = """
import hashlib
from masq.messages import encode
items = await store.items()
listed = '\\n'.join(f'{key}={encode(items[key])}' for key in sorted(items))
return [len(items), hashlib.sha256(listed.encode()).hexdigest()]
"""


def with_downloads(folder: Path) -> dict[str, Any]:
    """Return the preferences of a browser that saves into `folder` without asking."""
    folder.mkdir(exist_ok=True)
    return {"download.default_directory": str(folder), "download.prompt_for_download": False}


def backed_up(driver: Any, site: Site, folder: Path) -> Path:
    """Make a backup of the whole profile in the store's page, and return the file."""
    driver.get(site.store + "/#/backup")
    driver.refresh()
    find(driver, "#passphrase").send_keys(WORDS)
    find(driver, "#passphrase-repeat").send_keys(WORDS)
    click(driver, "#backup")
    find(driver, "#saved")
    (file,) = until(lambda: list(folder.glob("*.masq")), "the file")
    assert file.name in text(driver, "#saved")
    return Path(file)


def look_into(driver: Any, file: Path, words: str = WORDS) -> None:
    """Choose a file on the restore page, where the driver must be, and have it read."""
    find(driver, "#backup-file").send_keys(str(file))
    field = find(driver, "#passphrase")
    field.clear()
    field.send_keys(words)
    click(driver, "#look")


def look_afresh(driver: Any) -> None:
    """Leave the restore page for another page of the store, and come back to it."""
    driver.execute_script("location.hash = '#/settings'")
    find(driver, "#open-rename")
    driver.execute_script("location.hash = '#/restore'")
    until(
        lambda: driver.shown("#backup-file") and not is_shown(driver, "#error"), "the page without an error"
    )


@pytest.mark.slow("two browsers one after the other")
def test_backup_wipe_restore(own_browser: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    """A whole profile comes back in another browser, equal by a digest of each app; the command line reads it too."""
    first = own_browser(preferences=with_downloads(tmp_path / "downloads"))
    digests = {}
    for name in APPS:
        connect_test_app(first, site.url(name))
        py(first, FILL + f"await store.set('name', {name!r})")
        digests[name] = py(first, DIGEST)
    assert digests[APPS[0]] != digests[APPS[1]] and digests[APPS[0]][0] == 505
    file = backed_up(first, site, tmp_path / "downloads")
    first.quit()

    second = own_browser()
    second.get(site.store)
    click(second, "#have-backup")
    look_into(second, file, "other words")
    until(lambda: is_shown(second, "#error"), "the refusal")
    look_into(second, file)
    assert "505" in find(second, "#found").text
    click(second, "#restore")
    find(second, "#restored")
    for name in APPS:
        connect_test_app(second, site.url(name))  # allowed before: nobody asks
        assert py(second, DIGEST) == digests[name]
        assert py(second, "return [await store.get('name'), await store.increment('count')]") == [name, 43]

    words = tmp_path / "words"
    words.write_text(WORDS + "\n", "utf-8")
    read = subprocess.run(
        [
            sys.executable,
            "-m",
            "masq_store.backup",
            str(file),
            "--json",
            "-",
            "--passphrase-file",
            str(words),
        ],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "store"), str(ROOT / "client")])},
        timeout=120,
    )
    assert read.returncode == 0, read.stderr
    exported = json.loads(read.stdout)
    for name, (count, digest) in digests.items():
        app = exported["apps"][site.url(name)]
        items = {key: encode_packed(packed) for key, packed in app["entries"].items()}
        listed = "\n".join(f"{key}={items[key]}" for key in sorted(items))
        assert [len(items), hashlib.sha256(listed.encode()).hexdigest()] == [count, digest]


@pytest.mark.slow("a backup is made and restored beside an app")
def test_an_old_backup_undoes_nothing(own_browser: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    """Restored over newer edits, an old backup brings back only what is missing; nothing newer is undone."""
    driver = own_browser(preferences=with_downloads(tmp_path / "downloads"))
    connect_test_app(driver, site.url("app"))
    py(
        driver,
        "await store.update({'edited': 'old', 'deleted': 1, 'same': 1})\nawait store.increment('count', 5)",
    )
    file = backed_up(driver, site, tmp_path / "downloads")
    connect_test_app(driver, site.url("app"))
    py(
        driver,
        "await store.set('edited', 'newer')\nawait store.delete('deleted')\nawait store.increment('count', 2)\n"
        "await store.set('added', 1)",
    )
    app = driver.current_window_handle
    driver.new_tab(site.store + "/#/restore")
    look_into(driver, file)
    find(driver, "#found")
    click(driver, "#restore")
    find(driver, "#restored")
    driver.switch_to.window(app)
    newer = {"edited": "newer", "same": 1, "count": 7, "added": 1}
    assert py(driver, "return await store.items()") == newer
    assert py(driver, "return await store.increment('count')") == 8


@pytest.mark.slow("eight files, each opened by a passphrase")
def test_damaged_files_change_nothing(own_browser: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    """Files damaged at random places are each refused with a sentence, and no byte of the storage changes.

    Eight of them, for the pages; tests/unit/backup/test_backup.py damages hundreds.
    """
    driver = own_browser(preferences=with_downloads(tmp_path / "downloads"))
    driver.get(site.store)
    make_profile(driver, "Ann")
    find(driver, "#apps")
    connect_test_app(driver, site.url("app"))
    py(driver, "await store.update({f'k{n}': 'x' * 50 for n in range(300)})")
    content = backed_up(driver, site, tmp_path / "downloads").read_bytes()
    driver.get(site.store + "/#/restore")
    driver.refresh()
    find(driver, "#backup-file")
    before = dump(driver)
    chance = random.Random(50)
    for number in range(8):
        damaged = bytearray(content)
        at = chance.randrange(len(content))
        kind = number % 4
        if kind == 0:
            damaged[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del damaged[at:]
        elif kind == 2:
            damaged[at:at] = bytes([chance.randrange(256)])
        else:
            del damaged[at : at + chance.randrange(1, 100)]
        file = tmp_path / f"damaged-{number}.masq"
        file.write_bytes(damaged)
        look_into(driver, file)
        until(
            lambda: is_shown(driver, "#error") or is_shown(driver, "#found"), f"an answer to {kind} at {at}"
        )
        assert is_shown(driver, "#error"), (kind, at)
        assert len(text(driver, "#error")) > 30
        look_afresh(driver)
    assert dump(driver) == before
