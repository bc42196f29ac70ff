"""Status: what the app may know about its connection and the user's profile."""

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from typing import Any


class Status:
    """The state of the connection and of the profile, at one moment.

    `state`: "ready", "locked" (the user's profile is), or "closed" (withdrawn, or the session is over) ·
    `access`: "shared" or "partitioned" · `profile`: its name · `sync`: "live", "catching-up", "offline", "off" ·
    `devices`: how many hold this data · `persistent`: whether the browser promised to keep it · `waiting`: how
    many changes are nowhere but in the copy that this browser keeps apart from the store; 0 where `access` is
    "shared". What waits is lost if the browser clears the copy, so tell the person.
    Where the app may not know (while not "ready"), texts are "", numbers are 0 and `persistent` is False.
    """

    def __init__(self, wire: "dict[str, Any]", closed: bool = False) -> None:
        told = wire.get("state")
        self.state: str = "closed" if closed or told not in ("ready", "locked") else str(told)
        self.access: str = _text(wire.get("access"))
        self.profile: str = _text(wire.get("profile"))
        self.sync: str = _text(wire.get("sync"))
        self.devices: int = _number(wire.get("devices"))
        self.persistent: bool = wire.get("persistent") is True
        self.waiting: int = _number(wire.get("waiting"))

    def _all(self) -> "tuple[Any, ...]":
        return (
            self.state,
            self.access,
            self.profile,
            self.sync,
            self.devices,
            self.persistent,
            self.waiting,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Status) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return (
            "Status(state=%r, access=%r, profile=%r, sync=%r, devices=%r, persistent=%r, waiting=%r)"
            % self._all()
        )


def _number(field: "Any") -> int:
    return field if isinstance(field, int) else 0


def _text(field: "Any") -> str:
    return field if isinstance(field, str) else ""
