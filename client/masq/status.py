"""Status: what the app may know about its connection and the user's profile."""

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from typing import Any


class Status:
    """One moment's state.

    `state`: "ready", "locked" (the user's profile is), or "closed" (withdrawn, or the session is over) ·
    `access`: "shared" or "partitioned" · `profile`: its name · `sync`: "live", "catching-up", "offline", "off" ·
    `devices`: how many hold this data · `persistent`: whether the browser promised to keep it.
    Where the app may not know (while not "ready"), texts are "", `devices` is 0 and `persistent` is False.
    """

    def __init__(self, wire: "dict[str, Any]", closed: bool = False) -> None:
        told = wire.get("state")
        self.state: str = "closed" if closed or told not in ("ready", "locked") else str(told)
        self.access: str = _text(wire.get("access"))
        self.profile: str = _text(wire.get("profile"))
        self.sync: str = _text(wire.get("sync"))
        devices = wire.get("devices")
        self.devices: int = devices if isinstance(devices, int) else 0
        self.persistent: bool = wire.get("persistent") is True

    def _all(self) -> "tuple[Any, ...]":
        return (self.state, self.access, self.profile, self.sync, self.devices, self.persistent)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Status) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return "Status(state=%r, access=%r, profile=%r, sync=%r, devices=%r, persistent=%r)" % self._all()


def _text(field: "Any") -> str:
    return field if isinstance(field, str) else ""
