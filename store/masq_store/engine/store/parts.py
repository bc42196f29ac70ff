"""The parts of the store's engine, put together: who works with whom, and who is told in which order."""

from __future__ import annotations

from masq_store.engine.sessions.access_requests import Requests
from masq_store.engine.store.active_profile import ActiveProfile
from masq_store.engine.store.app_access import AppAccess
from masq_store.engine.store.auto_lock import AutoLock
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.device_pairing import Pairings
from masq_store.engine.store.enrolment import PartitionsHere
from masq_store.engine.store.enrolments import Enrolments
from masq_store.engine.store.expiry import Expiry
from masq_store.engine.store.home_watch import HomeWatch
from masq_store.engine.store.passphrase_proof import PassphraseProof
from masq_store.engine.store.profile_change import ProfileChange
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.rosters import Rosters
from masq_store.engine.store.services import Services


class Parts:
    """The parts of the store's engine, for its pages. No part knows this class: each is given what it uses."""

    def __init__(
        self, services: Services, default_relay: str, persistent: bool, version: str, build: int
    ) -> None:
        """`default_relay`, `persistent`: see `DeviceList`, `AppAccess`. `version`, `build`: of what runs here."""
        self.services = services
        self.version, self.build = version, build
        self.requests = Requests()
        here = PartitionsHere()
        active = self.active = ActiveProfile(services)
        change = self.change = ProfileChange(services, active)
        proof = self.proof = PassphraseProof(services, active)
        auto_lock = self.auto_lock = AutoLock(services, active)
        devices = self.devices = DeviceList(services, default_relay)
        rosters = self.rosters = Rosters(services, devices, here)
        sync = self.sync = ProfileSync(services, devices, rosters)
        access = self.access = AppAccess(services, active, auto_lock, devices, sync, here, persistent)
        self.enrolments = Enrolments(services, active, access, devices, rosters, self.requests, here)
        self.watch = HomeWatch(services, active, change, access, sync)
        self.pairings = Pairings(services, active, change, devices, sync, proof)
        self.expiry = Expiry(services, active, change)
        # A device is on the list before its rosters are written and its spaces meet others. Of what closes, those hear
        # first who would go on with the profile, and then those who use its spaces; a ticket opens it until the end.
        active.follow(
            opening=(access, auto_lock, self.watch, devices, rosters, sync, self.enrolments),
            closing=(self.pairings, self.enrolments, self.watch, devices, rosters, sync, access, auto_lock),
        )
