"""The calls of a Store: results, checks before sending, batching."""

import asyncio
import json

import pytest
from fake_port import opened

from masq.channel import MAX_MESSAGE_CHARACTERS, MAX_UNANSWERED_CHARACTERS
from masq.errors import ConnectionTimeout, InvalidKey, InvalidValue, MasqError, ProtocolError
from masq_store.engine.sessions.app_session import MAX_RECEIVED_CHARACTERS

pytestmark = pytest.mark.within(10)


async def test_reads_and_writes_do_what_their_names_say():
    """Each call gives the result that the README promises."""
    store, fake = opened()
    assert await store.get("a") is None
    assert await store.get("a", 7) == 7
    assert await store.set("a", {"list": [1, 2.5, None, True, "é\0", b"\xff", 2**70]}) is None
    assert await store.get("a") == {"list": [1, 2.5, None, True, "é\0", b"\xff", 2**70]}
    assert await store.update({"b/1": 1, "b/2": 2}) is None
    assert await store.has("b/1") is True
    assert await store.has("c") is False
    assert await store.keys() == ["a", "b/1", "b/2"]
    assert await store.keys("b/") == ["b/1", "b/2"]
    assert await store.items("b/") == {"b/1": 1, "b/2": 2}
    assert await store.get_many(["b/1", "none"]) == {"b/1": 1}
    assert await store.delete("a", "none") == 1
    assert await store.clear("b/") == 2
    assert await store.increment("n") == 1
    assert await store.increment("n", by=-3) == -2
    assert await store.replace({"only": None}) is None
    assert await store.items() == {"only": None}
    assert await store.get("only", 7) is None


@pytest.mark.parametrize(
    "key", [1, None, b"a", "", "\ud800", "k" * 513, "é" * 257, ("a",)], ids=lambda key: repr(key)[:12]
)
async def test_wrong_keys_are_refused_before_anything_is_sent(key):
    """A wrong key raises InvalidKey where the result is awaited, in every call that takes one, and never before."""
    store, fake = opened()
    for call in (
        lambda: store.get(key),
        lambda: store.has(key),
        lambda: store.set(key, 1),
        lambda: store.update({"good": 1, key: 2}),
        lambda: store.replace({"good": 1, key: 2}),
        lambda: store.delete("good", key),
        lambda: store.increment(key),
        lambda: store.get_many(["good", key]),
    ):
        reply = call()
        with pytest.raises(InvalidKey):
            await reply
    await asyncio.sleep(0)
    assert fake.messages == []


@pytest.mark.parametrize("key", ["constructor", "__proto__", " ", "\0", "😀", "k" * 512, "$bytes"])
async def test_odd_keys_are_ordinary(key):
    """A key that means something elsewhere is a key like any other."""
    store, fake = opened()
    await store.set(key, {key: key})
    assert await store.get(key) == {key: key}
    assert await store.items() == {key: {key: key}}


def nested(depth):
    """Return lists in lists."""
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\udfff",
        {1: 2},
        {"a": {2}},
        object(),
        1j,
        nested(65),
        "x" * (256 * 1024 - 1),
        b"x" * (192 * 1024),
    ],
    ids=lambda value: repr(value)[:12],
)
async def test_wrong_values_are_refused_before_anything_is_sent(value):
    """A wrong value raises InvalidValue where the result is awaited, and a batch that holds one sends nothing."""
    store, fake = opened()
    for call in (
        lambda: store.set("a", value),
        lambda: store.update({"good": 1, "bad": value}),
        lambda: store.replace({"good": 1, "bad": value}),
    ):
        reply = call()
        with pytest.raises(InvalidValue):
            await reply
    await asyncio.sleep(0)
    assert fake.messages == []


async def test_an_error_in_a_batch_names_the_key():
    """InvalidValue says where in the mapping the wrong value is."""
    store, _ = opened()
    with pytest.raises(InvalidValue) as caught:
        await store.update({"good": 1, "bad": {"x": [1, float("nan")]}})
    assert caught.value.path == '["bad"]["x"][1]'


async def test_values_at_the_limit_are_taken():
    """Exactly 256 KiB, and 64 levels, are allowed."""
    store, _ = opened()
    for value in ("x" * (256 * 1024 - 2), nested(64)):
        await store.set("a", value)
        assert await store.get("a") == value


@pytest.mark.parametrize("by", [True, 1.0, "1", None])
async def test_increment_adds_only_ints(by):
    """`by` is an int, and bool is none."""
    store, fake = opened()
    with pytest.raises(InvalidValue):
        await store.increment("n", by)
    assert fake.messages == []


async def test_several_keys_are_not_one_str():
    """`get_many("abc")` is a mistake, not three keys."""
    store, _ = opened()
    for keys in ("abc", 5, None):
        with pytest.raises(InvalidKey):
            await store.get_many(keys)
    with pytest.raises(InvalidValue):
        await store.update([("a", 1)])


async def test_calls_of_one_tick_travel_in_one_message():
    """Two thousand gathered reads make one message, and their order is kept."""
    store, fake = opened()
    await store.update({f"k{n}": n for n in range(2000)})
    fake.messages.clear()
    values = await asyncio.gather(*[store.get(f"k{n}") for n in range(2000)])
    assert values == list(range(2000))
    assert len(fake.messages) == 1


async def test_calls_of_many_tasks_travel_together():
    """Calls of tasks that start in one tick make a handful of messages."""
    store, fake = opened()

    async def one(number):
        await store.set(f"k{number}", number)
        return await store.get(f"k{number}")

    assert await asyncio.gather(*[one(n) for n in range(500)]) == list(range(500))
    assert len(fake.messages) <= 6


async def test_large_calls_are_split_into_messages_of_a_bounded_size():
    """Two hundred large values do not travel as one text of fifty million characters."""
    store, fake = opened()
    await asyncio.gather(*[store.set(f"k{n}", "x" * 250_000) for n in range(20)])
    assert max(len(text) for text in fake.messages) <= MAX_MESSAGE_CHARACTERS + 100
    assert [call[0] for call in fake.calls()] == list(range(1, 21))


async def test_a_call_that_no_message_can_hold_is_refused_before_anything_is_sent():
    """It raises InvalidValue where it is awaited, and those beside it are carried out."""
    store, fake = opened()
    with pytest.raises(InvalidValue, match="make several"):
        await store.replace({f"k{n}": "x" * 250_000 for n in range(17)})
    with pytest.raises(InvalidValue):
        await store.delete(*[f"{n:0500}" for n in range(10_000)])
    await store.replace({f"k{n}": "x" * 250_000 for n in range(16)})
    assert [call[1] for call in fake.calls()] == ["replace"]
    assert len(fake.messages[0]) <= MAX_RECEIVED_CHARACTERS


async def test_no_more_than_some_megabytes_are_on_their_way():
    """Calls wait here while the store has not answered what it has; all are carried out, in order."""
    store, fake = opened()
    fake.mute = True
    writes = [store.set(f"k{n}", "x" * 250_000) for n in range(100)]
    await asyncio.sleep(0)
    out = len(fake.messages)
    assert MAX_UNANSWERED_CHARACTERS < sum(map(len, fake.messages)) < 2 * MAX_UNANSWERED_CHARACTERS
    fake.mute = False
    for text in fake.messages[:out]:
        fake.answer(text)
    await asyncio.gather(*writes)
    assert [call[0] for call in fake.calls()] == list(range(1, 101))
    assert max(len(text) for text in fake.messages) <= MAX_MESSAGE_CHARACTERS + 100


async def test_a_call_that_failed_while_it_waited_here_is_not_carried_out():
    """Its time-out is its end; what comes after it goes on."""
    store, fake = opened(0.4)
    fake.mute = True
    writes = [store.set(f"k{n}", "x" * 250_000) for n in range(100)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(outcome, ConnectionTimeout) for outcome in outcomes)
    sent = len(fake.calls())
    assert sent < 50
    fake.mute = False
    assert await store.get("k99") is None
    assert len(fake.calls()) == sent + 1


async def test_a_client_says_that_it_has_read():
    """A `mark` of the store is answered, whatever else is in the message."""
    store, fake = opened()
    fake.mute = True
    fake.say(mark=7)
    assert fake.messages == ['{"masq":1,"read":7}']
    assert store.status.state == "ready"


async def test_a_session_that_the_store_ends_is_over():
    """Calls under way and later ones raise what the store said, and watches end with it."""
    store, fake = opened()
    fake.mute = True
    call = store.get("a")
    watch = store.watch()
    await asyncio.sleep(0)
    fake.say(closed=["ProtocolError", "A message was too long.", {"reason": "too long"}])
    for waiting in (call, store.get("b"), anext(watch)):
        with pytest.raises(ProtocolError, match="too long"):
            await waiting
    assert store.status.state == "closed"


async def test_a_write_without_await_is_sent():
    """`store.set` alone is carried out, before the read that follows."""
    store, _ = opened()
    store.set("a", 1)
    assert await store.get("a") == 1


async def test_call_numbers_grow():
    """Each call has a number of its own, larger than those before."""
    store, fake = opened()
    await store.set("a", 1)
    store.watch("b")
    await asyncio.gather(store.get("a"), store.get("b"))
    numbers = [call[0] for call in fake.calls()]
    assert numbers == sorted(set(numbers))


async def test_errors_of_the_store_keep_their_class_and_sentence():
    """An error reply raises the class that its code names, with its fields."""
    store, fake = opened()
    fake.error = InvalidValue("it is a text", "count")
    with pytest.raises(InvalidValue) as caught:
        await store.increment("count")
    assert caught.value.path == "count"
    assert str(caught.value) == str(fake.error)


async def test_messages_are_plain_unicode():
    """Characters travel as they are: MicroPython reads escaped emoji as two halves."""
    store, fake = opened()
    await store.set("😀", "é\0")
    assert "😀" in fake.messages[0]
    assert "\0" not in fake.messages[0]
    assert json.loads(fake.messages[0])["masq"] == 1


async def test_an_answer_of_an_unknown_form_is_a_protocol_error():
    """A reply that is no answer to its call fails that call alone."""
    store, fake = opened()
    fake.mute = True
    calls = [store.get("a"), store.keys(), store.items(), store.delete("a"), store.get("b")]
    await asyncio.sleep(0.01)
    fake.say(replies=[[1, 5], [2, "x"], [3, [["a"]]], [4, "x"], [5, [1]]])
    for call in calls[:4]:
        with pytest.raises(ProtocolError):
            await call
    assert await calls[4] == 1


def test_all_errors_are_masq_errors():
    """One `except masq.MasqError` catches whatever a call raises."""
    for error in (InvalidKey, InvalidValue, ProtocolError):
        assert issubclass(error, MasqError)
