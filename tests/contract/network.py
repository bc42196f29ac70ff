"""What every Network must do: plain async functions that take `make` and addresses, and only assert.

`await make()` gives a network. `relay` is the address of a relay of this protocol, `nobody` one where nobody
listens, `page` one where a web server answers. No pytest here: the same functions run inside a page.
"""

import asyncio
import os
import time

from masq_store.core.errors import RelayUnreachable
from masq_store.core.relay import frames

PATIENCE = 60.0  # seconds; CPython's side scales them to its machine


class Ears:
    """What one socket was told."""

    def __init__(self):
        self.heard = []
        self.reasons = []

    def receive(self, frame):
        """Keep a frame."""
        assert not self.reasons, "a frame came after the end"
        assert type(frame) is bytes
        self.heard.append(frames.parse(frame))

    def closed(self, reason):
        """Keep a reason."""
        assert isinstance(reason, str) and reason
        self.reasons.append(reason)

    def of(self, kind):
        """Return the frames of one kind."""
        return [said for said in self.heard if isinstance(said, kind)]


async def until(condition):
    """Wait until it holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never held"
        # Not under 4 ms: Pyodide makes a task of those at once, and in such a loop Chromium delivers no large frame.
        await asyncio.sleep(0.01)


async def connect(network, url):
    """Return a socket after HELLO and WELCOME, and its ears."""
    ears = Ears()
    socket = await network.open(url, ears.receive, ears.closed)
    socket.send(frames.hello())
    await until(lambda: ears.heard)
    assert isinstance(ears.heard[0], frames.Welcome)
    return socket, ears


async def join(socket, ears, room):
    """Join a room on channel 3 and read to its end."""
    socket.send(frames.join(3, room, bytes(32), *frames.BEGINNING))
    await until(lambda: ears.of(frames.Current))


async def carries_frames_both_ways(make, relay, nobody, page):
    """What one side sends the other receives, whole, in order, and up to the largest frame."""
    network = await make()
    room = os.urandom(16)
    one, ears_one = await connect(network, relay)
    two, ears_two = await connect(network, relay)
    await join(one, ears_one, room)
    await join(two, ears_two, room)
    most = ears_one.of(frames.Welcome)[0].max_frame - frames.POST_HEADER
    sent = [os.urandom(size) for size in (32, 33, 125, 126, 127, 65_535, 65_536, 300_000, most, 32)]
    for ref, envelope in enumerate(sent, 1):
        one.send(frames.post(3, ref, envelope))
    assert one.waiting >= 0
    await until(lambda: len(ears_two.of(frames.Envelope)) == len(sent))
    assert [said.envelope for said in ears_two.of(frames.Envelope)] == sent
    await until(lambda: len(ears_one.of(frames.Stored)) == len(sent))
    assert [said.ref for said in ears_one.of(frames.Stored)] == list(range(1, len(sent) + 1))
    await until(lambda: one.waiting == 0)
    one.close()
    two.close()


async def closing_is_told_once(make, relay, nobody, page):
    """After close() the end is told once and nothing is received; sending and closing again do nothing."""
    network = await make()
    socket, ears = await connect(network, relay)
    socket.send(frames.ping(1))
    socket.close()
    heard = len(ears.heard)
    await until(lambda: ears.reasons)
    socket.send(frames.ping(2))
    socket.close()
    assert socket.waiting == 0
    other, ears_other = await connect(network, relay)  # by then an answer would have come
    other.close()
    await until(lambda: ears_other.reasons)
    assert len(ears.heard) == heard
    assert len(ears.reasons) == 1


async def the_relays_end_is_told_once(make, relay, nobody, page):
    """Where the relay ends the connection its last words arrive first, then the reason, once."""
    network = await make()
    socket, ears = await connect(network, relay)
    socket.send(b"\xff")
    await until(lambda: ears.reasons)
    assert [said.code for said in ears.of(frames.Error)] == [frames.Code.BAD_FRAME]
    socket.send(frames.ping(1))
    socket.close()
    assert socket.waiting == 0
    await asyncio.sleep(0)
    assert len(ears.reasons) == 1


async def a_socket_may_be_closed_while_it_receives(make, relay, nobody, page):
    """Who hears something it does not like may close the socket at once."""
    network = await make()
    ears, sockets = Ears(), []

    def receive(frame):
        ears.receive(frame)
        sockets[0].close()

    sockets.append(await network.open(relay, receive, ears.closed))
    sockets[0].send(frames.hello())
    sockets[0].send(frames.ping(1))
    await until(lambda: ears.reasons)
    other, _ = await connect(network, relay)
    other.close()
    assert len(ears.heard) == len(ears.reasons) == 1


async def who_cannot_be_reached_is_said(make, relay, nobody, page):
    """Where nobody listens, or no relay, RelayUnreachable is raised, and the end of what never began is not told."""
    network = await make()
    for url in (nobody, page):
        ears = Ears()
        try:
            await network.open(url, ears.receive, ears.closed)
        except RelayUnreachable as error:
            assert error.fields["reason"]
        else:
            raise AssertionError(f"{url} was reached")
        await asyncio.sleep(0)
        assert ears.reasons == []


async def opening_can_be_given_up(make, relay, nobody, page):
    """Who stops waiting for a connection is told nothing about it any more."""
    network = await make()
    ears = Ears()
    opening = asyncio.ensure_future(network.open(relay, ears.receive, ears.closed))
    await asyncio.sleep(0)
    opening.cancel()
    try:
        await opening
    except asyncio.CancelledError:
        pass
    else:
        raise AssertionError("it was not given up")
    socket, others = await connect(network, relay)
    socket.close()
    await until(lambda: others.reasons)
    assert (ears.heard, ears.reasons) == ([], [])


CONTRACT = (
    carries_frames_both_ways,
    closing_is_told_once,
    the_relays_end_is_told_once,
    a_socket_may_be_closed_while_it_receives,
    who_cannot_be_reached_is_said,
    opening_can_be_given_up,
)
