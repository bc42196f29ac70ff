"""The table of what an app may call: how many arguments each method takes, and what becomes of a call with others."""

from __future__ import annotations

import inspect

import pytest
from engine_rig import Peer, Rig

from masq_store.engine.sessions import methods
from masq_store.engine.sessions.methods import ARGUMENTS, METHODS


@pytest.mark.parametrize("name", METHODS)
def test_the_table_counts_as_python_does(name: str) -> None:
    """Each method takes as many arguments as the table says, beside the session and the call's number."""
    parameters = list(inspect.signature(METHODS[name]).parameters.values())[2:]
    least = sum(each.default is inspect.Parameter.empty for each in parameters)
    assert ARGUMENTS[name] == range(least, len(parameters) + 1)


async def test_a_call_with_too_many_or_too_few_arguments_is_refused_alone() -> None:
    """It is answered with an error that names its method, and the calls beside it are done."""
    tab: Peer = await (await Rig().start()).approved()
    few, ping, many = await tab.calls(("set", "k"), ("ping",), ("get", "k", "l"))
    assert few[0] == "ProtocolError" and "set was called with arguments" in str(few)
    assert many[0] == "ProtocolError" and "get was called with arguments" in str(many)
    assert ping is None


async def test_a_defect_is_not_taken_for_a_wrong_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TypeError of the store's own, in a method that was called as it should be, is seen."""

    def broken(session: methods.Session, number: int, key: str) -> str:
        raise TypeError("a defect")

    monkeypatch.setitem(METHODS, "get", broken)
    tab = await (await Rig().start()).approved()
    with pytest.raises(TypeError, match="a defect"):
        tab.port.say('{"masq":1,"calls":[[1,"get","k"]]}')
