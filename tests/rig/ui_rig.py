"""For the tests of the pages: an engine and a window made of Python.

What the engine here answers is checked against the real one's answers by test_ui_engine_fake.py.
"""

import asyncio
from base64 import b64decode, b64encode
from typing import get_args

from masq import messages
from masq.errors import InvalidValue, Locked, NotRegistered, ProtocolError, to_wire
from masq_store.core.errors import (
    NoRelay,
    NotABackup,
    PairingExpired,
    PairingRefused,
    PassphraseNeeded,
    WrongBackupPassphrase,
    WrongPassphrase,
)
from masq_store.core.pages.schema import LinkState, PairingState, SyncState
from masq_store.core.pairing.device_pairing import read_code
from masq_store.core.pairing.link import read_link
from masq_store.core.profile import claims
from masq_store.core.profile.relay_address import check_relay_address
from masq_store.ui.app import App
from masq_store.ui.text import sync_status
from masq_store.ui.window.screen import Room

ORIGIN = "http://counter.localhost:8000"
ADDRESS = "#/app/http%3A%2F%2Fcounter.localhost%3A8000"
CLAIMS = {"origin": ORIGIN, "name": "Counter", "description": "", "icon": None}
ABOUT = CLAIMS | {"registered": False, "apart": False, "linked": False, "other": None}
"""What an app asks."""
OTHER = {"newer": True, "keys": 5, "waiting": 2, "here": 1}
"""What is told of a copy that is of another generation."""
COUNTER = CLAIMS | {
    "approved_ms": 0,
    "used_ms": 0,
    "keys": 120,
    "bytes": 30,
    "tabs": 0,
    "sync": sync_status.APP_OFF,
}
KEPT = {"origin": "https://notes.example", "name": "Notes", "icon": None, "keys": 3, "bytes": 900}
TRASHED = {
    "id": "fe" * 16, "origin": ORIGIN, "name": "Counter", "keys": 7, "bytes": 900, "ms": 0,
    "until_ms": 1_800_000_000_000,
}  # fmt: skip
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
    "unheard": False,
}  # fmt: skip
FAR_COPY = COPY | {"id": "ee" * 8, "device": "Telephone", "here": False}
PAIRING = {
    "role": "old", "state": "connecting", "link": None, "until_ms": None, "code": None, "again": False,
    "profile": None, "device": None, "name": "Chromium on Linux", "error": None,
}  # fmt: skip
OFFER = {"state": "connecting", "link": None, "until_ms": None, "error": None}
PAIRING_STATES = {*get_args(PairingState), *get_args(LinkState)}
OVER = ("done", "ended")
SYNC_STATES = get_args(SyncState)
UNTIL_MS = 1_800_000_000_000
REMOVED = {"profile": "Ann", "state": "ask", "until_ms": UNTIL_MS}


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


def checked(found, model):
    """Return what a test has set, once it has the keys that the engine gives."""
    assert set(found) == set(model), f"the engine gives {sorted(model)}, not {sorted(found)}"
    return dict(found)


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
        self.backup_ms = None
        self.persistent = False
        self.happened = ["     0.000 relay: open failures=0"]
        self.keeps_keys = "kept"
        self.files = {}
        self.made = False
        self.read = set()
        self.sync = sync_status.OFF | {"state": "live", "relay": a_relay(RELAY)}
        self.devices = [HERE]
        self.copies = []
        self.met = True
        self.removed = None
        self.trash = []
        self.pair = self.refused = None
        self.app_sync = sync_status.APP_OFF | {"state": "live"}
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

    def _mine(self):
        """The open profile."""
        if not self.active or self.active["locked"]:
            raise Locked()
        return self.active

    def overview(self):
        """Everything the pages begin with."""
        assert self.sync["state"] in SYNC_STATES and self.app_sync["state"] in SYNC_STATES
        mine = self.active
        hidden = not mine or mine["locked"]
        names = ("id", "name", "locked", "failed", "stays_unlocked", "lock_minutes")
        return {
            "profile": mine and {name: mine[name] for name in names} | {"passphrase": bool(mine["word"])},
            "profiles": [
                {"id": p["id"], "name": p["name"], "active": p is mine, "passphrase": bool(p["word"])}
                for p in self.profiles
            ],
            "apps": [] if hidden else [self._app(app) for app in mine["apps"]],
            "kept": [] if hidden else [checked(app, KEPT) for app in mine["kept"]],
            "backup": {"due": self.due, "last_ms": None if hidden else self.backup_ms},
            "keeps_keys": self.keeps_keys,
            "sync": checked(self.sync, sync_status.OFF),
            "devices": [] if hidden else [checked(one, HERE) for one in self.devices],
            "copies": [] if hidden else [checked(one, COPY) for one in self.copies],
            "removed": self.removed and checked(self.removed, REMOVED),
            "trash": [] if hidden else [checked(one, TRASHED) for one in self.trash],
            "persistent": self.persistent,
            "build": 1,
            "version": "0.1.0",
        }

    def _app(self, app):
        return checked(app, COUNTER) | {"sync": checked(self.app_sync, sync_status.APP_OFF)}

    # ---- profiles

    def create_profile(self, name, passphrase, stay_unlocked):
        """A new profile, open and active."""
        claims.check_profile_name(name)
        self.active = a_profile(name, passphrase, len(self.profiles) + 1)
        self.active |= {"locked": False, "apps": [], "stays_unlocked": stay_unlocked or not passphrase}
        self.profiles.append(self.active)
        return self.overview()

    def _profile(self, profile_id):
        for profile in self.profiles:
            if profile["id"] == profile_id:
                return profile
        raise InvalidValue("there is no such profile on this device")

    def _open(self, profile):
        self.active = profile
        self.read.clear()
        if profile and not profile["failed"]:
            profile["locked"] = not profile["stays_unlocked"]

    def switch_profile(self, profile_id):
        """Another one is active."""
        profile = self._profile(profile_id)
        if profile is not self.active:
            self._open(profile)
        return self.overview()

    def rename_profile(self, name):
        """A new name."""
        mine = self._mine()
        if name == "bad":
            raise InvalidValue("nobody is called that")
        mine["name"] = claims.check_profile_name(name)
        return self.overview()

    def delete_profile(self, profile_id):
        """It is gone."""
        gone = self._profile(profile_id)
        self.profiles = [p for p in self.profiles if p is not gone]
        if self.active is gone:
            self._open(self.profiles[0] if self.profiles else None)
        return self.overview()

    def _check(self, passphrase):
        if passphrase != self.active["word"]:
            raise WrongPassphrase(float(self.wait_seconds))

    def unlock(self, passphrase, stay_unlocked):
        """Open, if it is the passphrase."""
        if not self.active:
            raise Locked()
        if self.active["locked"]:
            self._check(passphrase)
            self.active["locked"] = False
            self.active["stays_unlocked"] |= stay_unlocked
        return self.overview()

    def lock(self):
        """Closed."""
        if self.active and not self.active["locked"]:
            if not self.active["word"]:
                raise ProtocolError("a profile without a passphrase cannot be locked")
            self.active["locked"] = True
            self.read.clear()
        return self.overview()

    def change_passphrase(self, present, new, renew=False):
        """Another passphrase."""
        mine = self._mine()
        if mine["word"]:
            self._check(present)
        mine |= {"word": new, "stays_unlocked": mine["stays_unlocked"] or not new}
        return self.overview()

    def _prove(self, passphrase):
        if self._mine()["word"]:
            if not passphrase:
                raise PassphraseNeeded()
            self._check(passphrase)

    def set_stay_unlocked(self, stay, passphrase=""):
        """The choice."""
        mine = self._mine()
        if stay and not mine["stays_unlocked"]:
            self._prove(passphrase)
        if not stay and not mine["word"]:
            raise InvalidValue("a profile without a passphrase stays unlocked")
        mine["stays_unlocked"] = stay
        return self.overview()

    def set_lock_minutes(self, minutes, passphrase=""):
        """The choice."""
        mine = self._mine()
        if claims.is_longer(minutes, mine["lock_minutes"]):
            self._prove(passphrase)
        if not 0 <= minutes <= claims.MAX_LOCK_MINUTES:
            raise InvalidValue("the time must be a whole number of minutes")
        mine["lock_minutes"] = minutes
        return self.overview()

    def told_persistent(self, persistent):
        """What the browser said."""
        self.persistent = persistent

    def used(self):
        """Somebody types."""

    def trace(self, on):
        """What happened lately."""
        return list(self.happened) if on else []

    # ---- apps

    def app(self, origin):
        """One app."""
        for app in self._mine()["apps"]:
            if app["origin"] == origin:
                return self._app(app)
        raise NotRegistered(origin)

    def entries(self, origin, search, after, limit, profile_id=""):
        """A page of entries."""
        messages.check_prefix(search)
        if limit < 1:
            raise InvalidValue("limit must be a positive int")
        self.app(origin)
        if profile_id and profile_id != self.active["id"]:
            raise Locked()
        found = [[k, v] for k, v in sorted(self.stored.items()) if search.lower() in k.lower() and k > after]
        return {"entries": found[:limit], "more": len(found) > limit}

    def set_entry(self, origin, key, packed):
        """Written."""
        messages.check_key(key)
        messages.encode_packed(packed)
        self.app(origin)
        self.stored[key] = packed

    def delete_entry(self, origin, key):
        """Gone."""
        messages.check_key(key)
        self.app(origin)
        return self.stored.pop(key, None) is not None

    def withdraw(self, origin, erase=False):
        """Forget the app; what it keeps stays, unless that goes too."""
        mine = self._mine()
        gone = [app for app in mine["apps"] if app["origin"] == origin]
        mine["apps"] = [app for app in mine["apps"] if app not in gone]
        if not erase:
            mine["kept"] = [*mine["kept"], *({name: app[name] for name in KEPT} for app in gone)]

    def erase(self, origin):
        """Erase what it left."""
        mine = self._mine()
        if any(app["origin"] == origin for app in mine["apps"]):
            raise ProtocolError("withdraw the app first")
        mine["kept"] = [app for app in mine["kept"] if app["origin"] != origin]

    def _take_out(self, trashed):
        self._mine()
        if trashed not in [one["id"] for one in self.trash]:
            raise InvalidValue("this is not in the trash any more")
        self.trash = [one for one in self.trash if one["id"] != trashed]

    def put_back(self, trashed):
        """The app has it again."""
        self._take_out(trashed)
        self.active["kept"] = [{name: COUNTER[name] for name in KEPT}]

    def erase_trash(self, trashed):
        """It is gone."""
        self._take_out(trashed)

    def request(self, nonce, seconds=10):
        """What the popup is about."""
        if self.asked and self.asked["other"]:
            checked(self.asked["other"], OTHER)
        return self.asked and checked(self.asked, ABOUT)

    def answer(self, nonce, allow, origin):
        """The answer."""
        if not self.asked or self.asked["origin"] != origin:
            raise ProtocolError("the app that asked is no longer open")
        if not allow:
            return True
        mine, origin = self._mine(), self.asked["origin"]
        if not any(app["origin"] == origin for app in mine["apps"]):
            mine["apps"] = [*mine["apps"], COUNTER | {name: self.asked[name] for name in CLAIMS}]
            mine["kept"] = [app for app in mine["kept"] if app["origin"] != origin]
        return self.met

    # ---- devices

    def set_relay(self, url):
        """Another relay."""
        if url:
            check_relay_address(url)
        self._mine()
        used = RELAY if url is None else url
        self.sync = self.sync | {"relay": a_relay(used, url), "state": "live" if used else "off"}

    def set_sync(self, origin, on):
        """The choice."""
        if type(on) is not bool:
            raise InvalidValue("the sync is either on or off")
        self.app(origin)
        self.app_sync = self.app_sync | {"on": on}

    def _device(self, device):
        self._mine()
        if device not in [one["id"] for one in [*self.devices, *self.copies]]:
            raise InvalidValue("there is no such device in this profile")

    def rename_device(self, device, name):
        """A new name."""
        if name == "bad":
            raise InvalidValue("no device is called that")
        name = claims.check_device_name(name)
        self._device(device)
        self.devices = [one | {"name": name} if one["id"] == device else one for one in self.devices]

    def remove_device(self, device, passphrase=""):
        """It is gone."""
        self._device(device)
        if device == HERE["id"]:
            raise InvalidValue("this is the device you are using")
        if device not in [one["id"] for one in self.copies]:
            self._prove(passphrase)
        self.devices = [one for one in self.devices if one["id"] != device]
        self.copies = [one for one in self.copies if one["id"] != device]

    def seen_removed(self):
        """The reader knows."""
        self.removed = None

    def keep_removed(self):
        """It stays."""
        self._mine()
        if self.removed:
            self.removed = REMOVED | {"state": "kept", "until_ms": None}

    def pairing(self):
        """How far the pairing is."""
        return self.pair

    def pairs(self, state, **fields):
        """The pairing has come so far: tell the page. A link and a code are shown in one state only."""
        assert state in PAIRING_STATES
        shown = {"link": None, "until_ms": None if state in OVER else UNTIL_MS}
        before = self.pair or PAIRING
        shown |= {"code": None} if "role" in before else {}
        self.pair = checked(before | {"state": state} | shown | fields, before)
        self.on_event(["pairing"])

    def _meet(self):
        if not self.sync["relay"]["url"]:
            raise NoRelay()

    def invite(self, store, passphrase=""):
        """A link."""
        name = self._mine()["name"]
        self._meet()
        self._prove(passphrase)
        self.pair = PAIRING | {"state": "waiting", "link": LINK, "until_ms": UNTIL_MS, "profile": name}
        return self.pair

    def offer_link(self, store, nonce, origin):
        """A link for an app's page."""
        if self.refused:
            raise self.refused
        claims.check_nonce(nonce)
        claims.check_origin(origin)
        self._meet()
        self.pair = OFFER | {"state": "waiting", "link": APP_LINK, "until_ms": UNTIL_MS}
        return self.pair

    def _asks(self, state):
        if not self.pair or "role" not in self.pair or self.pair["state"] != state:
            raise ProtocolError("that is not asked for now")

    def confirm_code(self, typed):
        """The digits."""
        self._asks("ask-code")
        self.pair = self.pair | {"again": read_code(typed) is None}
        return self.pair

    def join(self, link):
        """A link is used."""
        if not read_link(link).relay:
            self._meet()
        self.pair = PAIRING | {"role": "new", "until_ms": UNTIL_MS}
        return self.pair

    def take(self, name, passphrase, stay_unlocked):
        """The reader says yes."""
        self._asks("ask-take")
        if name == "bad":
            raise InvalidValue("no device is called that")
        claims.check_device_name(name)
        self.pairs("agreed")
        return self.pair

    def end_pairing(self):
        """It ends; one that is over is put away."""
        if self.pair and self.pair["state"] not in OVER:
            self.pairs(
                "ended", error=to_wire(PairingRefused("here") if "role" in self.pair else PairingExpired())
            )
        else:
            self.pair = None
        return self.pair

    # ---- backup

    def write_backup(self, passphrase, origin=None, present=""):
        """A file in three pieces."""
        mine = self._mine()
        self._prove(present)
        if not passphrase:
            raise InvalidValue("a backup needs a passphrase")
        if origin and origin not in [app["origin"] for app in [*mine["apps"], *mine["kept"]]]:
            raise NotRegistered(origin)
        self.backup_ms = self.backup_ms if origin else UNTIL_MS
        self.made = True
        return {"id": "made", "size": len(BACKUP), "pieces": 3}

    def backup_piece(self, name, number):
        """One of them."""
        if name != "made" or not self.made or not 0 <= number < 3:
            raise ProtocolError("there is no such piece")
        third = len(BACKUP) // 3 + 1
        return b64encode(BACKUP[number * third : (number + 1) * third]).decode()

    def begin_file(self):
        """A file that comes."""
        self.files["sent"] = b""
        return "sent"

    def file_piece(self, name, piece):
        """A piece of it."""
        try:
            content = b64decode(piece, validate=True)
        except ValueError:
            raise ProtocolError("the piece is not base64") from None
        self._file(name)
        self.files[name] += content

    def _file(self, name):
        if name not in self.files:
            raise ProtocolError("the file was not begun")
        return self.files[name]

    def drop_file(self, name):
        """Forget it."""
        self.files.pop(name, None)
        self.read.discard(name)
        self.made = self.made and name != "made"

    def read_backup(self, name, passphrase):
        """What is in it, if it is the passphrase."""
        if len(self._file(name)) < len(BACKUP):
            raise NotABackup()
        if passphrase != "of the file":
            raise WrongBackupPassphrase()
        self.read.add(name)
        app = {"origin": ORIGIN, "name": "Counter", "keys": 2}
        return {"name": "Ann", "made_ms": 0, "whole": True, "same": bool(self.active), "apps": [app]}

    def restore(self, name, passphrase="", stay_unlocked=True):
        """Bring it back, into a new profile if there is none."""
        if name not in self.read:
            raise ProtocolError("the file was not read, or the store was locked since")
        if not self.active:
            self.create_profile("Ann", passphrase, stay_unlocked)
            self.active["apps"] = [COUNTER]
        self._mine()
        self.drop_file(name)
        return {"merged": [ORIGIN], "skipped": [], "moved": []}

    def remind_later(self):
        """Put off."""
        self._mine()
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
    steady = True

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


async def type_into(app, screen, action, subject="", **fields):
    """Fill in fields (with _ for -) and send the form."""
    screen.typed = {name.replace("_", "-"): value for name, value in fields.items()}
    await press(app, action, subject)
