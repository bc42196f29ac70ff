"""For the tests of the pages: an engine and a window made of Python."""

import asyncio
import time
from base64 import b64decode, b64encode
from functools import wraps

from masq.errors import InvalidValue, Locked, NotRegistered
from masq_store.core.errors import BadPairingLink, WrongBackupPassphrase, WrongPassphrase
from masq_store.ui import syncing
from masq_store.ui.app import App
from masq_store.ui.ports import Room

ORIGIN = "http://counter.localhost:8000"
ADDRESS = "#/app/http%3A%2F%2Fcounter.localhost%3A8000"
ABOUT = {
    "origin": ORIGIN,
    "name": "Counter",
    "description": "",
    "icon": None,
    "apart": False,
    "linked": False,
}
COUNTER = ABOUT | {"approved_ms": 0, "used_ms": 0, "keys": 120, "bytes": 30, "tabs": 0}
KEPT = {"origin": "https://notes.example", "name": "Notes", "icon": None, "keys": 3, "bytes": 900}
BACKUP = bytes(range(256)) * 5000
RELAY = "wss://relay.example/sync"
LINK = "https://store.example/#pair=AAAAAAAAAAAAAAAAAAAAAA"
APP_LINK = LINK.replace("#pair=", "#enrol=") + "&relay=" + RELAY
HERE = {
    "id": "aa" * 8, "name": "Chromium on Linux", "this": True, "added_ms": 0, "seen_ms": None, "online": True,
    "clock_off_ms": None,
}  # fmt: skip
PHONE = HERE | {"id": "bb" * 8, "name": "Telephone", "this": False, "online": False, "seen_ms": 0}
COPY = {
    "id": "dd" * 8, "name": "Counter", "app": ORIGIN, "device": "Chromium on Linux", "here": True, "added_ms": 0,
}  # fmt: skip
FAR_COPY = COPY | {"id": "ee" * 8, "device": "Telephone", "here": False}
PAIRING = {
    "role": "old", "state": "connecting", "link": None, "until_ms": None, "code": None, "again": False,
    "profile": None, "device": None, "name": "Chromium on Linux", "error": None,
}  # fmt: skip


def a_profile(name, passphrase="", number=1):
    """A profile as the engine keeps it here."""
    return {
        "id": f"{number:032x}",
        "name": name,
        "word": passphrase,
        "locked": bool(passphrase),
        "failed": None,
        "stays_unlocked": not passphrase,
        "lock_minutes": 0,
        "apps": [COUNTER],
        "kept": [],
    }


def a_relay(url, own=None, problem=None):
    """What the engine says of a relay."""
    return {"url": url, "default": RELAY, "own": own, "problem": problem}


class Engine:
    """A link to an engine that keeps everything in plain fields and notes its calls."""

    def __init__(self, *profiles, request=None):
        self.profiles = list(profiles)
        self.active = self.profiles[0] if profiles else None
        self.asked = request
        self.stored = {f"k{n:03}": n for n in range(120)}
        self.calls = []
        self.broken = None
        self.wait = 0.0
        self.wait_seconds = 0
        self.due = False
        self.persistent = False
        self.keeps_keys = "kept"
        self.files = {}
        self.sync = syncing.OFF | {"state": "live", "relay": a_relay(RELAY)}
        self.devices = [HERE]
        self.copies = []
        self.met = True
        self.removed = None
        self.pair = self.refused = None
        self.app_sync = syncing.APP_OFF | {"state": "live"}
        self.on_event = None

    async def call(self, method, *args):
        """Answer as the engine would."""
        self.calls.append((method, *args))
        await asyncio.sleep(self.wait)
        if self.broken:
            raise self.broken
        return getattr(self, method)(*args)

    def called(self, method):
        """The arguments of each call of `method`."""
        return [call[1:] for call in self.calls if call[0] == method]

    def overview(self):
        """Everything the pages begin with."""
        mine = self.active
        hidden = not mine or mine["locked"]
        names = ("id", "name", "locked", "failed", "stays_unlocked", "lock_minutes")
        return {
            "profile": mine and {name: mine[name] for name in names} | {"passphrase": bool(mine["word"])},
            "profiles": [
                {"id": p["id"], "name": p["name"], "active": p is mine, "passphrase": bool(p["word"])}
                for p in self.profiles
            ],
            "apps": [] if hidden else mine["apps"],
            "kept": [] if hidden else mine["kept"],
            "backup": {"due": self.due, "last_ms": None},
            "keeps_keys": self.keeps_keys,
            "sync": self.sync,
            "devices": [] if hidden else self.devices,
            "copies": [] if hidden else self.copies,
            "removed": self.removed,
            "persistent": self.persistent,
            "build": 1,
            "version": "0.1.0",
        }

    # ---- profiles

    def create_profile(self, name, passphrase, stay_unlocked):
        """A new profile, open and active."""
        self.active = a_profile(name, passphrase, len(self.profiles) + 1)
        self.active |= {"locked": False, "apps": [], "stays_unlocked": stay_unlocked}
        self.profiles.append(self.active)
        return self.overview()

    def switch_profile(self, profile):
        """Another one is active."""
        [self.active] = [p for p in self.profiles if p["id"] == profile]
        return self.overview()

    def rename_profile(self, name):
        """A new name."""
        if name == "bad":
            raise InvalidValue("nobody is called that")
        self.active["name"] = name
        return self.overview()

    def delete_profile(self, profile):
        """It is gone."""
        self.profiles = [p for p in self.profiles if p["id"] != profile]
        if self.active["id"] == profile:
            self.active = self.profiles[0] if self.profiles else None
        return self.overview()

    def _check(self, passphrase):
        if passphrase != self.active["word"]:
            raise WrongPassphrase(self.wait_seconds)

    def unlock(self, passphrase, stay_unlocked):
        """Open, if it is the passphrase."""
        self._check(passphrase)
        self.active["locked"] = False
        return self.overview()

    def lock(self):
        """Closed."""
        self.active["locked"] = True
        return self.overview()

    def change_passphrase(self, present, new):
        """Another passphrase."""
        self._check(present)
        self.active |= {"word": new, "stays_unlocked": not new}
        return self.overview()

    def set_stay_unlocked(self, stay):
        """The choice."""
        self.active["stays_unlocked"] = stay
        return self.overview()

    def set_lock_minutes(self, minutes):
        """The choice."""
        self.active["lock_minutes"] = minutes
        return self.overview()

    def told_persistent(self, persisted):
        """What the browser said."""
        self.persistent = persisted

    def used(self):
        """Somebody types."""

    # ---- apps

    def app(self, origin):
        """One app."""
        if not self.active["apps"] or origin != ORIGIN:
            raise NotRegistered(origin)
        return COUNTER | {"sync": self.app_sync}

    def entries(self, origin, search, after, limit, profile=""):
        """A page of entries."""
        if profile and profile != self.active["id"]:
            raise Locked()
        found = [[k, v] for k, v in sorted(self.stored.items()) if search.lower() in k.lower() and k > after]
        return {"entries": found[:limit], "more": len(found) > limit}

    def set_entry(self, origin, key, packed):
        """Written."""
        self.stored[key] = packed

    def delete_entry(self, origin, key):
        """Gone."""
        return self.stored.pop(key, None) is not None

    def withdraw(self, origin, erase=False):
        """Forget the app."""
        self.active["apps"] = []

    def erase(self, origin):
        """Erase what it left."""
        self.active["kept"] = []

    def request(self, nonce, seconds=10):
        """What the popup is about."""
        return self.asked

    def answer(self, nonce, allow):
        """The answer."""
        return self.met

    # ---- devices

    def set_relay(self, url):
        """Another relay."""
        if url and not url.startswith("wss://"):
            raise InvalidValue("a relay's address begins with wss://")
        used = RELAY if url is None else url
        self.sync = self.sync | {"relay": a_relay(used, url), "state": "live" if used else "off"}

    def set_sync(self, origin, on):
        """The choice."""
        self.app_sync = self.app_sync | {"on": on}

    def rename_device(self, device, name):
        """A new name."""
        if name == "bad":
            raise InvalidValue("no device is called that")
        self.devices = [one | {"name": name} if one["id"] == device else one for one in self.devices]

    def remove_device(self, device):
        """It is gone."""
        self.devices = [one for one in self.devices if one["id"] != device]
        self.copies = [one for one in self.copies if one["id"] != device]

    def seen_removed(self):
        """The reader knows."""
        self.removed = None

    def pairing(self):
        """How far the pairing is."""
        return self.pair

    def pairs(self, state, **fields):
        """The pairing has come so far: tell the page."""
        self.pair = (self.pair or PAIRING) | {"state": state} | fields
        self.on_event(["pairing"])

    def invite(self, store_address):
        """A link."""
        self.pair = PAIRING | {"state": "waiting", "link": LINK, "until_ms": 1_800_000_000_000}

    def offer_link(self, store_address, nonce, came_from):
        """A link for an app's page."""
        if self.refused:
            raise self.refused
        self.pair = PAIRING | {"state": "waiting", "link": APP_LINK, "until_ms": 1_800_000_000_000}

    def confirm_code(self, typed):
        """The digits."""

    def join(self, link):
        """A link is used."""
        if "pair=" not in link:
            raise BadPairingLink()
        self.pair = PAIRING | {"role": "new"}

    def take(self, device_name, passphrase, stay_unlocked):
        """The reader says yes."""
        if device_name == "bad":
            raise InvalidValue("no device is called that")
        self.pairs("agreed")

    def end_pairing(self):
        """It is over."""
        self.pair = None

    # ---- backup

    def write_backup(self, passphrase, origin):
        """A file in three pieces."""
        return {"id": "made", "size": len(BACKUP), "pieces": 3}

    def backup_piece(self, name, number):
        """One of them."""
        third = len(BACKUP) // 3 + 1
        return b64encode(BACKUP[number * third : (number + 1) * third]).decode()

    def begin_file(self):
        """A file that comes."""
        self.files["sent"] = b""
        return "sent"

    def file_piece(self, name, piece):
        """A piece of it."""
        self.files[name] += b64decode(piece)

    def drop_file(self, name):
        """Forget it."""
        self.files.pop(name, None)

    def read_backup(self, name, passphrase):
        """What is in it, if it is the passphrase."""
        if passphrase != "of the file":
            raise WrongBackupPassphrase()
        app = {"origin": ORIGIN, "name": "Counter", "keys": 2}
        return {"name": "Ann", "made_ms": 0, "whole": True, "same": bool(self.active), "apps": [app]}

    def restore(self, name, passphrase, stay_unlocked):
        """Bring it back, into a new profile if there is none."""
        if not self.active:
            self.create_profile("Ann", passphrase, stay_unlocked)
            self.active["apps"] = [COUNTER]
        return {"merged": [ORIGIN], "skipped": [], "moved": []}

    def remind_later(self):
        """Put off."""
        self.due = False
        return self.overview()


class Download:
    """A file that is being saved."""

    def __init__(self):
        self.content, self.finished = b"", False

    def add(self, content):
        """More of it."""
        self.content += content

    def finish(self):
        """Saved."""
        self.finished = True


class Screen:
    """A window that only remembers."""

    def __init__(self, address=""):
        self.place, self.page, self.top, self.focused = address, None, "", ""
        self.typed, self.pages, self.app = {}, [], None
        self.written, self.progress, self.downloads = [], [], {}
        self.chosen, self.content = None, b""
        self.kept, self.asked_to_persist, self.wanted = {}, 0, ["en"]
        self.looks = []
        self.severed, self.opener = False, ""
        self.copied, self.copies, self.camera = "", True, None
        self.arrivals = 0

    def show(self, page, arriving, top):
        """Remember the page."""
        self.page, self.top = page, top
        self.pages.append(page)
        self.arrivals += arriving

    def fields(self):
        """What a test typed."""
        return self.typed

    def focus(self, name):
        """Remember the focus."""
        self.focused = name

    def write(self, name, text):
        """Remember the text."""
        self.written.append((name, text))

    def advance(self, name, done, of):
        """Remember the progress."""
        self.progress.append((done, of))

    def address(self):
        """The address."""
        return self.place

    def go(self, address):
        """Go there as a browser would."""
        self.place = address
        self.app.moved()

    def replace(self, address):
        """Another address for the same page."""
        self.place = address

    def location(self):
        """Where the store is."""
        return "https://store.example/"

    def came_from(self):
        """Who has opened the window."""
        return self.opener

    async def copy(self, text):
        """Remember what was copied."""
        self.copied = text
        return self.copies

    async def can_scan(self):
        """Whether a test gives it a camera."""
        return self.camera is not None

    async def scan(self, video, found):
        """The camera of a test: it keeps what hears the codes."""
        if isinstance(self.camera, Exception):
            raise self.camera
        self.camera = found
        return lambda: setattr(self, "camera", "dark")

    def reload(self):
        """Remember."""
        self.focused = "reloaded"

    def file(self, field):
        """What a test chose."""
        return self.chosen

    async def read_file(self, field, start, end):
        """A part of it."""
        return self.content[start:end]

    def download(self, name):
        """A file to save."""
        self.downloads[name] = Download()
        return self.downloads[name]

    async def room(self):
        """Plenty."""
        return Room(1_000_000, 2_000_000_000, self.asked_to_persist > 0)

    persist_asks = False

    async def persist(self):
        """The browser agrees."""
        self.asked_to_persist += 1
        return True

    def remembered(self, name):
        """What was remembered."""
        return self.kept.get(name, "")

    def remember(self, name, value):
        """Remember."""
        self.kept[name] = value

    def languages(self):
        """What the browser prefers."""
        return self.wanted

    def look(self, language, theme):
        """Remember the look."""
        self.looks.append((language, theme))

    def has(self, text):
        """Whether the page holds `text`."""
        return text in self.page.html


def run(test):
    """Run an async test to its end."""

    @wraps(test)
    def wrapped():
        asyncio.run(test())

    return wrapped


async def opened(engine, address="", framed=False, severed=False, opener="", **more):
    """An app that has shown its first page."""
    screen = Screen(address)
    screen.framed, screen.severed, screen.opener = framed, severed, opener
    app = screen.app = App(engine, screen, **more)
    await app.arrive()
    return app, screen


async def settle(app):
    """Wait until nothing is being done."""
    while app.tasks:
        await asyncio.sleep(0.01)


async def press(app, action, subject=""):
    """Press a button and wait for what it does."""
    app.acted(action, subject)
    await settle(app)


async def until(condition, seconds=5.0):
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        await asyncio.sleep(0.01)


async def type_into(app, screen, action, subject="", **fields):
    """Fill in fields (with _ for -) and send the form."""
    screen.typed = {name.replace("_", "-"): value for name, value in fields.items()}
    await press(app, action, subject)
