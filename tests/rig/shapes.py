"""What an answer is made of, whatever stands in it: so that the answers of two engines can be compared."""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from masq.errors import MasqError, from_wire, to_wire

Shape = dict[str, set[str]]
"""What kinds of things stand at each place: {"": {"dict of apps"}, ".apps": {"list"}, ".apps[].keys": {"int"}}, say."""


def shape(value: Any, place: str = "") -> Shape:
    """Return the shape of an answer. Its lists' elements share one place, unless they are of several kinds."""
    if isinstance(value, dict):
        inner = [(f"{place}.{key}", each) for key, each in value.items()]
        kind = "dict of " + ", ".join(sorted(value))
    elif isinstance(value, list):
        alike = len({type(each) for each in value}) == 1
        inner = [(f"{place}[]" if alike else f"{place}[{n}]", each) for n, each in enumerate(value)]
        kind = "list"
    else:
        inner, kind = [], type(value).__name__
    return merged({place: {kind}}, *(shape(each, where) for where, each in inner))


def shape_of_error(error: MasqError) -> Shape:
    """Return the shape of what comes in the answer's place: the code counts, and the fields; the sentence does not."""
    travelled = from_wire(to_wire(error))
    return merged({"": {f"refused: {travelled.code}"}}, shape(travelled.fields, " fields"))


ANYTHING = "anything"


def shape_of_type(kind: Any, place: str = "") -> Shape:
    """Return the shape of all that a type allows: of TypedDicts, lists, unions and plain values. Any is anything."""
    origin, inner = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        keys = get_type_hints(kind)
        kinds = {place: {"dict of " + ", ".join(sorted(keys))}}
        return merged(kinds, *(shape_of_type(each, f"{place}.{key}") for key, each in keys.items()))
    if origin in (Union, UnionType):
        return merged(*(shape_of_type(each, place) for each in inner))
    if origin is Literal:
        return {place: {type(each).__name__ for each in inner}}
    if origin is list and Any not in inner:
        return merged({place: {"list"}}, shape_of_type(inner[0], f"{place}[]"))
    return {place: {ANYTHING if kind is Any or origin else kind.__name__}}


def outside(found: Shape, allowed: Shape) -> list[str]:
    """Return a sentence for each place at which an answer has what its type does not allow."""
    free = tuple(place for place, kinds in allowed.items() if ANYTHING in kinds)
    return [
        f"{place or 'the answer'}: {', '.join(sorted(kinds))}"
        for place, kinds in sorted(found.items())
        if not place.startswith(free) and not kinds <= allowed.get(place, set())
    ]


def merged(*shapes: Shape) -> Shape:
    """Return what stands at each place in any of them."""
    found: Shape = {}
    for each in shapes:
        for place, kinds in each.items():
            found[place] = found.get(place, set()) | kinds
    return found


def differences(real: Shape, fake: Shape) -> list[str]:
    """Return a sentence for each place at which two answers to the same call are not alike.

    Inside of them nothing (None, an empty list) is like anything; what that can be, `never_alike` compares.
    """
    found = []
    for place in sorted(real.keys() & fake.keys()):
        nothing = {"NoneType"} if place else set()
        one, other = real[place] - nothing, fake[place] - nothing
        if one and other and one != other:
            found.append(_sentence(place, one, other))
    return found


def never_alike(real: Shape, fake: Shape) -> list[str]:
    """Return a sentence for each place at which all answers of the one together have what the other's never have."""
    return [
        _sentence(place, real.get(place, set()), fake.get(place, set()))
        for place in sorted(real.keys() | fake.keys())
        if real.get(place) != fake.get(place)
    ]


def _sentence(place: str, real: set[str], fake: set[str]) -> str:
    return f"{place or 'the answer'}: {_named(real)}, the fake says {_named(fake)}"


def _named(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds)) or "nothing"
