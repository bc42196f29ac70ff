"""A partition and a store with different generations of an app's data: none erases the other's unasked."""

from __future__ import annotations

from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, Peer, Rig
from memory import MemoryBackend
from partition_rig import Apart, enrolled, kept_apart

from masq.errors import ProtocolError
from masq_store.core.enrolment.messages import read_hello
from masq_store.core.profile.home_layout import draw_identity
from masq_store.engine.partition.enrolment_records import EnrolmentRecords
from masq_store.engine.store.generations import REACH
from masq_store.native.crypto import NativeCrypto

CLAIMS = {"name": "Counter", "description": "", "icon": None}
HELLO = {"origin": APP, "nonce": "0" * 32, "app": CLAIMS, "public": "00" * 32, "known": {}}


async def items(rig: Rig) -> dict[str, Any]:
    """Return what the store itself has of the app, as texts."""
    assert rig.engine.profile is not None
    found = dict((await rig.engine.profile.space(APP)).core.items(""))
    rig.engine.profile.release(APP)
    return found


async def restored(erasings: int = 1, passphrase: str = "") -> tuple[Rig, Apart, Peer]:
    """Return a store that was restored from a backup made before so many erasings, a partition with newer data, a tab.

    In the partition are 5 entries, which reached nobody, and the store has "old".
    """
    first, apart, tab = await enrolled("old", passphrase)
    content = await first.engine.commands.write_backup("file", present=passphrase)
    for _ in range(erasings):
        await first.engine.commands.withdraw(APP, True)
        await until(lambda: APP not in apart.partition.copies)
        tab = await apart.connected()
    apart.cut()
    for number in range(5):
        await tab.call("set", f"thesis/{number}", "a year of work")
    second = await Rig().start()
    second.now = first.now + 1000
    backup = await second.engine.commands.read_backup(content, "file")
    await second.engine.commands.restore(backup)
    apart.rig = second
    return second, apart, tab


@pytest.mark.parametrize("erasings", [1, 3])
@pytest.mark.parametrize("allowed", [True, False])
async def test_a_store_that_was_restored_does_not_erase_newer_data(erasings: int, allowed: bool) -> None:
    """The window says how much there is and asks; a yes goes on with it, and what the store had is in the trash."""
    rig, apart, tab = await restored(erasings)
    nonce = apart.click(tab)
    request = await rig.engine.commands.request(nonce)
    assert request is not None and not request["registered"]
    assert request["other"] == {"newer": True, "keys": 5, "waiting": 5, "here": 1}
    await rig.engine.commands.answer(nonce, allowed)
    if not allowed:
        assert len(await tab.call("keys", "")) == 5 and list(await items(rig)) == ["old"]
        assert len(await apart.backend.scan("copy/")) == 1
        return
    await tab.status(state="ready", sync="live")
    assert len(await tab.call("keys", "")) == 5 == len(await items(rig))
    assert rig.engine.profile is not None and rig.engine.profile.generation(APP) == erasings
    page = rig.page()
    (kept,) = (await page.call("overview"))["trash"]
    assert kept["keys"] == 1
    assert await page.call("put_back", kept["id"]) is None
    await tab.status(state="ready")
    await until(lambda: len(apart.partition.copies[APP].data.core.keys("")) == 6)


async def test_a_locked_copy_that_is_newer_is_kept_and_asked_about() -> None:
    """How much it holds cannot be said, and is not guessed; a yes opens it with all there is."""
    rig, apart, _ = await restored(passphrase="right")
    await apart.restart()
    tab = apart.app()
    await tab.status(state="locked")
    nonce = apart.click(tab)
    request = await rig.engine.commands.request(nonce)
    assert request is not None
    assert request["other"] == {"newer": True, "keys": None, "waiting": None, "here": 1}
    await rig.engine.commands.answer(nonce, True)
    await tab.status(state="ready")
    assert len(await tab.call("keys", "")) == 5


async def test_a_copy_that_comes_home_to_a_restored_store_loses_nothing() -> None:
    """Its app reaches the store itself by now, and nobody is asked: both are there, one of them in the trash."""
    rig, apart, tab = await restored()
    apart.partition.detach(tab.session)  # type: ignore[attr-defined]
    await apart.restart()
    shared = rig.app()
    await shared.status(state="ready")
    apart.come_back()
    await until(lambda: not apart.backend.disk.stored or apart.partition._kept.empty)
    assert len(await items(rig)) == 5
    await shared.status(state="ready")
    assert len(await shared.call("keys", "")) == 5
    (kept,) = (await rig.page().call("overview"))["trash"]
    assert kept["keys"] == 1


@pytest.mark.parametrize("waiting", [True, False])
@pytest.mark.parametrize("allowed", [True, False])
async def test_a_copy_of_erased_data_goes_with_what_only_it_has_after_a_question(
    waiting: bool, allowed: bool
) -> None:
    """Out of touch while its data was erased: what is nowhere else is named; without any, nobody need be asked."""
    rig, apart, tab = await kept_apart()
    await tab.call("set", "k", 1)
    await until(lambda: apart.partition.copies[APP].waiting == 0)
    apart.cut()
    before = apart.partition.copies[APP].secrets.id
    if waiting:
        await tab.call("set", "unsent", 1)
    await rig.engine.commands.withdraw(APP, True)
    rig.now += 1000
    await rig.approved(APP)
    nonce = apart.click(tab)
    request = await rig.engine.commands.request(nonce)
    assert request is not None and request["registered"] is not waiting
    wanted = {"newer": False, "keys": 2, "waiting": 1, "here": 0}
    assert request["other"] == (wanted if waiting else None)
    await rig.engine.commands.answer(nonce, allowed)
    if allowed:
        await tab.status(state="ready", sync="live")
        assert await tab.call("keys", "") == []
        await until(lambda: not any(before in key for key in apart.backend.disk.stored))
    else:
        assert len(await tab.call("keys", "")) == 1 + waiting


@pytest.mark.parametrize("generation", [0, 1, 3, 7])
async def test_a_grant_erases_what_it_names_and_no_more(generation: int) -> None:
    """An enrolment of whatever other generation stays, as long as the store does not say that its data was erased."""
    from masq_store.core.enrolment.messages import Grant

    crypto = NativeCrypto()
    copies = EnrolmentRecords(MemoryBackend(), crypto)
    await copies.load()
    identity, private = await draw_identity(crypto)

    def grant(number: int) -> Grant:
        secret = bytes([number]) * 32
        return Grant(APP, number, secret.hex(), "11" * 32, "Ann", "", True, 0)

    kept = [(await copies.take(grant(number), identity, private)).id for number in (1, 3)]
    taken = await copies.take(grant(generation), identity, private)
    assert set(await copies.known(APP)) == {*kept, taken.id}
    other = grant(9)._replace(roster="22" * 32)
    foreign = await copies.take(other, identity, private, over=kept)
    assert set(await copies.known(APP)) == {*kept, taken.id, foreign.id}
    await copies.take(grant(8), identity, private, over=[kept[0], "no such name"])
    assert kept[0] not in await copies.known(APP) and kept[1] in await copies.known(APP)


async def test_a_partition_raises_nothing_by_a_claim() -> None:
    """Names that follow from no secret of the profile change nothing, nor does more than can be looked for."""
    rig, apart, tab = await restored(REACH + 1)
    nonce = apart.click(tab)
    request = await rig.engine.commands.request(nonce)
    assert request is not None and request["other"] is None
    await rig.engine.commands.answer(nonce, True)
    assert rig.engine.profile is not None and rig.engine.profile.generation(APP) == 0
    assert list(await items(rig)) == ["old"]
    assert len(await apart.backend.scan("copy/")) == 2  # what is too far away to be known is kept


@pytest.mark.parametrize(
    "holds",
    [5, [], {"00": 5}, {"00": [1]}, {"00": [1, -1]}, {"00": [1, 2, 3]}, {"00": [True, 1]}, {"00": ["1", 1]}],
)
def test_what_a_partition_says_it_holds_is_checked(holds: Any) -> None:
    """Anything but two numbers for each is refused; a build that says nothing of it is understood."""
    assert read_hello(HELLO).holds == {}
    with pytest.raises(ProtocolError):
        read_hello(HELLO | {"holds": holds})
