"""The name of a space within a profile."""

from __future__ import annotations

from typing import Literal, NamedTuple


class SpaceRef(NamedTuple):
    """The name of one space within its profile.

    `kind`: "home", the profile's own; "app", the data of the app at `origin`; "roster", what the copies of that app are
    told. `generation`: an app's data begins anew under the next one when it is erased; 0 for the other kinds.
    """

    kind: Literal["home", "app", "roster"]
    origin: str = ""
    generation: int = 0


HOME = SpaceRef("home")
