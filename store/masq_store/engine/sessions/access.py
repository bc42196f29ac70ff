"""A session's access: to which space, with which rights, and below which prefix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from masq_store.core.space.space import Space
from masq_store.core.space.space_ref import SpaceRef
from masq_store.core.space.subspace import Subspace
from masq_store.engine.storage.open_space import OpenSpace

Right = Literal["read", "watch", "write", "delete"]
"""One kind of thing to do: "write" is to create and to change. `methods` says what each method needs."""

ALL: frozenset[Right] = frozenset(("read", "watch", "write", "delete"))


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Access to a space, for one session.

    `release`: called once, when the session lets go of the space; it must not raise.
    `prefix`: the session sees the keys alone that begin with it, and names them without it; "": all.
    """

    ref: SpaceRef
    space: OpenSpace
    release: Callable[[], object] = lambda: None
    rights: frozenset[Right] = ALL
    prefix: str = ""
    core: Space | Subspace = field(init=False)
    """The map in memory, as the session sees it: there on the hot path, so it is made once."""

    def __post_init__(self) -> None:
        """Choose the map: the space's own where there is no prefix."""
        core = self.space.core
        object.__setattr__(self, "core", Subspace(core, self.prefix) if self.prefix else core)

    def seen(self, keys: list[str]) -> list[str]:
        """Return those of the space's keys that the session sees, as it names them."""
        return self.core.relative(keys) if isinstance(self.core, Subspace) else keys
