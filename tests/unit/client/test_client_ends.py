"""How calls end when the store does not answer as it should."""

import asyncio

import pytest
from fake_port import opened

from masq.errors import ConnectionTimeout, Disconnected, InvalidValue, ProtocolError, to_wire

pytestmark = pytest.mark.within(10)


async def test_a_reply_that_never_comes_raises_connection_timeout():
    """After `timeout` seconds of silence, and not much more, the call raises ConnectionTimeout."""
    store, fake = opened(timeout=0.2)
    fake.mute = True
    start = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionTimeout) as caught:
        await store.get("a")
    assert 0.2 <= asyncio.get_running_loop().time() - start < 0.4
    assert caught.value.seconds == 0.2
    fake.mute = False
    assert await store.get("a", 1) == 1


async def test_any_message_is_a_sign_of_life():
    """While the store says something, calls wait on."""
    store, fake = opened(timeout=0.2)
    fake.mute = True
    call = store.get("a")
    for _ in range(8):
        await asyncio.sleep(0.05)
        fake.say()
    assert not call.done()
    fake.say(replies=[[1, [1]]])
    assert await call == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"masq":2,"replies":[]}',
        '{"masq":1,"replies":5}',
        '{"masq":1,"replies":[[]]}',
        '{"masq":1,"replies":[[{},1]]}',
        '{"masq":1,"changes":[[1]]}',
        '{"masq":1,"status":"ready"}',
        '{"masq":1,"replies":[[1,NaN]]}',
        "[" * 100_000,
        None,
        5,
    ],
    ids=lambda text: repr(text)[:30],
)
async def test_a_malformed_message_ends_the_session(text):
    """A store that talks nonsense: calls and watches raise ProtocolError, and later calls too."""
    store, fake = opened()
    fake.mute = True
    call = store.get("a")
    watch = store.watch()
    await asyncio.sleep(0.01)
    fake.send(text)
    with pytest.raises(ProtocolError):
        await call
    with pytest.raises(ProtocolError):
        await watch.__anext__()
    with pytest.raises(ProtocolError):
        await store.set("a", 1)
    assert store.status.state == "closed"


async def test_another_version_is_named():
    """The error names both versions of the protocol."""
    store, fake = opened()
    call = store.get("a")
    fake.send('{"masq":7}')
    with pytest.raises(ProtocolError, match="version 7 .*this app 1"):
        await call


async def test_unknown_things_are_ignored():
    """Unknown fields, replies to nobody and changes for nobody change nothing."""
    store, fake = opened()
    call = store.get("a", 2)
    fake.say(
        future={"x": 1},
        replies=[[99, 1]],
        changes=[[98, [["a", "tab", 1]]]],
        ended=[[97, to_wire(InvalidValue("x"))]],
    )
    assert await call == 2


async def test_an_unreadable_message_fails_the_calls_under_way():
    """`error` from the store fails what is under way, and the session goes on."""
    store, fake = opened()
    fake.mute = True
    call = store.set("a", 1)
    await asyncio.sleep(0.01)
    fake.say(error=to_wire(ProtocolError("the message is malformed")))
    with pytest.raises(ProtocolError):
        await call
    fake.mute = False
    assert await store.get("a", 3) == 3


async def test_after_a_loss_reads_are_sent_again_and_writes_are_unknown():
    """Reads get their answer from the store that follows; writes that were sent raise Disconnected."""
    store, fake = opened()
    fake.mute = True
    read, write, count = store.get("a", 5), store.set("a", 1), store.increment("n")
    await asyncio.sleep(0.01)
    later = store.set("b", 2)  # filed, and never sent to the store that is gone
    fake.mute = False
    fake.messages.clear()
    store._channel.lost(fake.post)
    assert await read == 5
    for call in (write, count):
        with pytest.raises(Disconnected):
            await call
    assert await later is None
    assert [call[1] for call in fake.calls()] == ["get", "set"]


async def test_closing_finishes_what_is_under_way():
    """`close` sends and awaits what was called before it; what comes after raises Disconnected."""
    store, fake = opened()
    write = store.set("a", 1)
    closing = store.close()
    with pytest.raises(Disconnected):
        await store.get("a")
    await closing
    assert await write is None
    assert fake.data == {"a": 1}
    assert store.status.state == "closed"
    await store.close()


async def test_async_with_closes():
    """Leaving `async with` ends the session, watches included."""
    store, fake = opened()
    async with store:
        watch = store.watch()
        await store.get("a")
    assert [change async for change in watch] == []
    with pytest.raises(Disconnected):
        await store.get("a")
    assert [change async for change in store.watch_status()][-1].state == "closed"


async def test_a_silent_store_does_not_keep_close_waiting():
    """`close` ends after `timeout` seconds even if the last answer never comes."""
    store, fake = opened(timeout=0.1)
    fake.mute = True
    call = store.get("a")
    await store.close()
    with pytest.raises(ConnectionTimeout):
        await call
