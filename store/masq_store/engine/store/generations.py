"""The generations of an app's data that a partition has, beside the one in use here.

It need not be believed about that: an enrolment is named by its space's secret, so nobody can name one whose secret was
never given out. Only how much there is in it, is what the partition says.
"""

from __future__ import annotations

from typing import NamedTuple

from masq_store.core.enrolment.messages import Hello
from masq_store.core.space.space_ref import SpaceRef
from masq_store.engine.profile.profile import Profile

REACH = 32
"""How many generations before and after the present one are looked for."""


class Held(NamedTuple):
    """A generation that a partition has.

    `name`: of its enrolment. `keys`: how many entries it holds; `waiting`: how many changes of them are nowhere else;
    both None where the partition cannot say.
    """

    generation: int
    name: str
    keys: int | None
    waiting: int | None


class Generations(NamedTuple):
    """A partition's generations of one app's data: the newest after the present one, and those before."""

    after: Held | None
    before: list[Held]


NONE = Generations(None, [])


async def generations(profile: Profile, hello: Hello) -> Generations:
    """Return which of an app's generations, other than the present one, a partition has."""
    present = profile.generation(hello.origin)
    name = await profile.ring.enrolment(SpaceRef("app", hello.origin, present))
    unknown = set(hello.known) - {name}  # other profiles' are among them
    if not unknown:
        return NONE
    found = []
    for generation in range(max(0, present - REACH), present + REACH + 1):
        name = await profile.ring.enrolment(SpaceRef("app", hello.origin, generation))
        if generation != present and name in unknown:
            found.append(Held(generation, name, *hello.holds.get(name, (None, None))))
    after = [held for held in found if held.generation > present]
    return Generations(after[-1] if after else None, [held for held in found if held.generation < present])
