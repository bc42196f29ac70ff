"""The parts of the store's engine that its pages show and command."""

from __future__ import annotations

from dataclasses import dataclass

from masq_store.engine.sessions.access_requests import Requests
from masq_store.engine.store.active_profile import ActiveProfile
from masq_store.engine.store.app_access import AppAccess
from masq_store.engine.store.auto_lock import Rest
from masq_store.engine.store.device_list import Devices
from masq_store.engine.store.device_pairing import Pairings
from masq_store.engine.store.enrolments import Enrolments
from masq_store.engine.store.passphrase_proof import PassphraseProof
from masq_store.engine.store.profile_change import ProfileChange
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.rosters import Rosters
from masq_store.engine.store.services import Services


@dataclass(frozen=True, slots=True)
class Parts:
    """One store. `version`, `build`: of what runs here, as its pages show it."""

    services: Services
    active: ActiveProfile
    change: ProfileChange
    proof: PassphraseProof
    requests: Requests
    access: AppAccess
    rest: Rest
    devices: Devices
    rosters: Rosters
    sync: ProfileSync
    enrolments: Enrolments
    pairings: Pairings
    version: str
    build: int
