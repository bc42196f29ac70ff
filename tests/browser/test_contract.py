"""The contract suite in a page of the store: what the browser brings does what CPython's side does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import backend as backend_contract
import crypto as crypto_contract
import network as network_contract
import pytest
from browser import engines
from browser.devtools import DevTools
from browser.sites import APPS, copy_of, serve
from browser.steps import connect_test_app, outcome_of, py
from conftest import Site
from free_ports import free_port
from relay_rig import Command

from build.places import ROOT

pytestmark = pytest.mark.quick

PREPARE = """
import asyncio, itertools, json
import contract_backend, contract_crypto, contract_network
from masq.errors import QuotaExceeded
from masq_store.browser.ports.indexeddb import IndexedDB
from masq_store.browser.ports.webcrypto import WebCrypto
from masq_store.browser.ports.websocket import BrowserNetwork
from masq_store.core.errors import RelayUnreachable, StorageFailed, Superseded

vectors = json.loads(open('/tmp/vectors.json').read())
fresh = itertools.count()
names = {}

async def make_indexeddb(other=None):
    name = names[other] if other else f"test-{next(fresh)}"
    made = await IndexedDB.open(name)
    names[made] = name
    return made

async def make_webcrypto():
    return WebCrypto((await make_indexeddb()).keys())

async def make_network():
    return BrowserNetwork()

async def raises(kind, work):
    try:
        await work
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")
"""


@pytest.fixture(scope="module")
def quiet(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """As `site`; at the store's own origin there is a quiet page, too, in which Python runs."""
    copy = copy_of(dist, tmp_path_factory.mktemp("contract") / "dist")
    shutil.copytree(APPS / "contract", copy / "store" / "contract")
    server = serve(copy)
    yield Site(server)
    server.stop()


@pytest.fixture(scope="module")
def pages(quiet: Site) -> Iterator[Callable[[str], Any]]:
    """Give a browser that shows the quiet page: one for all tests in the same surroundings."""
    drivers: dict[str, Any] = {}

    def shown(surroundings: str) -> Any:
        if surroundings not in drivers:
            driver = engines.start(surroundings)
            try:
                boot(driver, quiet)
            except BaseException:
                driver.quit()
                raise
            drivers[surroundings] = driver
        return drivers[surroundings]

    yield shown
    for driver in drivers.values():
        driver.quit()


@pytest.fixture
def page(pages: Callable[[str], Any], surroundings: str) -> Any:
    """The quiet page, with the contract at hand."""
    return pages(surroundings)


def boot(driver: Any, quiet: Site) -> None:
    """Boot Python in the quiet page, with the contract at hand."""
    driver.get(f"{quiet.store}/contract/")
    driver.wait_text("#state", "Python is up.")
    vectors = {
        path.stem: json.loads(path.read_text("utf-8")) for path in (ROOT / "tests/vectors").glob("*.json")
    }
    files = {
        "contract_backend.py": (ROOT / "tests/contract/backend.py").read_text("utf-8"),
        "contract_network.py": (ROOT / "tests/contract/network.py").read_text("utf-8"),
        "contract_crypto.py": (ROOT / "tests/contract/crypto.py").read_text("utf-8"),
        "vectors.json": json.dumps(vectors),
    }
    driver.run("await window.prepare(args[0], args[1])", files, PREPARE)


def check(page: Any, code: str) -> None:
    """Run Python in the page; what it raises fails the test."""
    problem = page.run("return await window.check(args[0])", code)
    assert problem == "", problem


@pytest.mark.engines("each")
@pytest.mark.parametrize("rule", [rule.__name__ for rule in backend_contract.CONTRACT])
def test_backends_keep_the_contract(page: Any, rule: str) -> None:
    """Each rule of the backend contract holds in the browser."""
    check(page, f"await contract_backend.{rule}(make_indexeddb)")


@pytest.mark.engines("each")
@pytest.mark.parametrize("rule", [rule.__name__ for rule in crypto_contract.CONTRACT])
def test_webcrypto_keeps_the_contract(page: Any, rule: str) -> None:
    """Each rule of the crypto contract holds for WebCrypto, with the vectors that CPython keeps too."""
    check(page, f"await contract_crypto.{rule}(make_webcrypto, vectors)")


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """A relay of this machine."""
    running = Command(tmp_path_factory.mktemp("relay"))
    yield running
    running.kill()


def nobody() -> str:
    """Return an address on this machine where nobody listens."""
    return f"ws://localhost:{free_port()}/"


@pytest.mark.engines("each")
@pytest.mark.parametrize("rule", [rule.__name__ for rule in network_contract.CONTRACT])
def test_websocket_keeps_the_network_contract(page: Any, quiet: Site, relay: Command, rule: str) -> None:
    """Each rule of the network contract holds for the browser's WebSocket, under the store's own policy."""
    addresses = (f"ws://localhost:{relay.port}/", nobody(), quiet.store.replace("http", "ws"))
    check(page, f"await contract_network.{rule}(make_network, *{addresses!r})")


@pytest.mark.engines("each")
def test_a_lock_is_one_holders_until_it_lets_go(page: Any) -> None:
    """Who does not wait gets none meanwhile; who waits gets it once it is released, and who steals it at once."""
    check(
        page,
        """
from masq_store.browser.ports import web_locks as locks
first = await locks.acquire("lock of a test")
assert await locks.acquire("lock of a test", wait=False) is None
next_one = asyncio.ensure_future(locks.acquire("lock of a test"))
gone = asyncio.ensure_future(locks.released("lock of a test"))
first.release()
async with asyncio.timeout(10):
    second = await next_one
second.release()
async with asyncio.timeout(10):
    await gone
robbed = asyncio.Event()
async with asyncio.timeout(10):
    await locks.acquire("lock of a test", stolen=robbed.set)
fourth = await locks.acquire("lock of a test", steal=True)
async with asyncio.timeout(10):
    await robbed.wait()
fourth.release()
""",
    )


@pytest.mark.engines("each")
def test_the_network_is_back(page: Any) -> None:
    """The browser's `online` event is passed on, until the network is closed."""
    check(
        page,
        """
import js
network, calls = BrowserNetwork(), []
network.on_online(lambda: calls.append(1))
network.on_online(lambda: calls.append(2))
js.dispatchEvent(js.Event.new("online"))
assert calls == [1, 2], calls
network.close()
js.dispatchEvent(js.Event.new("online"))
assert calls == [1, 2], calls
""",
    )


@pytest.mark.engines("each")
def test_an_address_that_the_browser_refuses(page: Any) -> None:
    """What WebSocket or the store's policy does not take raises RelayUnreachable."""
    check(
        page,
        """
from masq_store.browser.ports import websocket
websocket.OPEN_SECONDS = 1.0  # Chromium tells a page nothing of what a policy refuses: the wait ends
for url in ("", "no address", "ws://localhost:99999/", "ws://relay.example/"):
    await raises(RelayUnreachable, BrowserNetwork().open(url, print, print))
""",
    )


@pytest.mark.engines("each")
def test_a_closed_backend_says_so(page: Any) -> None:
    """After close() reads, scans, writes and claims raise StorageFailed: nothing hangs, nothing is lost silently."""
    check(
        page,
        """
made = await make_indexeddb()
await made.write([("a", b"1")])
await made.close()
for work in (made.read("a"), made.scan(""), made.write([("a", b"2")]), made.write([]), made.claim()):
    await asyncio.wait_for(raises(StorageFailed, work), 5)
other = await make_indexeddb(made)
assert await other.read("a") == b"1"
""",
    )


@pytest.mark.engines("each")
def test_writes_side_by_side_end_each_for_itself(page: Any) -> None:
    """Many transactions begun at once: each ends, in order, and a superseded one among them changes nothing."""
    check(
        page,
        """
made = await make_indexeddb()
await made.claim()
before = [made.write([(f"k{n}", b"x" * n)]) for n in range(50)]
await asyncio.gather(*before)
assert len(await made.scan("k")) == 50
newer = await make_indexeddb(made)
await newer.claim()
results = await asyncio.gather(*[made.write([(f"late{n}", b"")]) for n in range(20)], return_exceptions=True)
assert all(isinstance(result, Superseded) for result in results), results
assert await newer.scan("late") == []
await newer.write([("a", b"1")])
""",
    )


@pytest.mark.engines("each")
def test_a_write_that_cannot_be_issued_changes_nothing(page: Any) -> None:
    """A batch whose second put the browser refuses is not half done, and the backend goes on."""
    check(
        page,
        """
made = await make_indexeddb()
try:
    await made.write([("a", b"1"), (float("nan"), b"2")])  # no key for IndexedDB
except Exception:
    pass
else:
    raise AssertionError("it was written")
assert await made.scan("") == []
await asyncio.wait_for(made.write([("b", b"1")]), 5)
assert await made.read("b") == b"1"
""",
    )


@contextmanager
def disk_of(driver: Any, origin: str, size: int) -> Iterator[Callable[[int | None], None]]:
    """Give an origin a disk of `size` bytes; yields how to change that (None: the whole disk).

    Before the origin's first write: the browser looks at the size again only when it believes the disk to be full.
    """
    with DevTools(driver) as tools:
        pages = tools.call("Target.getTargets")["targetInfos"]
        session = tools.attach(next(target for target in pages if target["type"] == "page"))

        def resize(size: int | None) -> None:
            given = {} if size is None else {"quotaSize": size}
            tools.call("Storage.overrideQuotaForOrigin", session, origin=origin, **given)

        resize(size)
        yield resize


def test_a_full_disk(browser: Callable[..., Any], quiet: Site) -> None:
    """IndexedDB on a full disk raises QuotaExceeded in under a second, with the state as before; then it goes on."""
    driver = browser()
    with disk_of(driver, quiet.store, 300_000) as resize:
        boot(driver, quiet)
        check(
            driver,
            """
import os, time
full = await make_indexeddb()
await full.claim()
await full.write([("a", b"1"), ("b", b"2")])
large = os.urandom(3_000_000)
began = time.monotonic()
await raises(QuotaExceeded, full.write([("a", b"3"), ("c", large)], [("b", "c")]))
took = time.monotonic() - began
assert await full.scan("") == [("a", b"1"), ("b", b"2")]
await full.write([("a", b"2")])
""",
        )
        resize(None)
        check(
            driver,
            """
began = time.monotonic()
await full.write([("c", large)])
assert len(await full.read("c")) == 3_000_000
assert took < max(1, 3 * (time.monotonic() - began)), took  # on a slow machine what fits takes long, too
""",
        )


RANDOM_TEXT = "import random; text = ''.join(random.choices('abcdefghijklmnopqrstuvwxyz', k=240_000))"


def test_an_app_on_a_full_disk(browser: Callable[..., Any], site: Site) -> None:
    """An app whose write finds the disk full gets QuotaExceeded in under a second; all else stays, and works."""
    driver = browser()
    with disk_of(driver, site.store, 400_000) as resize:
        connect_test_app(driver, site.url("pyodide"))
        py(driver, "await store.set('kept', 'before')")
        outcome = outcome_of(
            driver,
            f"""{RANDOM_TEXT}
globals()['text'] = text
began = time.monotonic()
try:
    await store.update({{'kept': 'after', 'big': text, 'bigger': text[::-1], 'more': text[5:]}})
finally:
    globals()['took'] = time.monotonic() - began""",
        )
        assert outcome.get("error") == "QuotaExceeded", outcome
        assert len(outcome["sentence"]) > 40
        assert py(driver, "return await store.items()") == {"kept": "before"}
        # Of writes that share a tick, only those fail that must.
        parts = py(
            driver,
            f"""{RANDOM_TEXT}
large = {{name: text + name for name in 'pqr'}}
results = await asyncio.gather(
    store.set('small', 1), store.update(large), store.increment('n'), return_exceptions=True)
return [type(result).__name__ for result in results]""",
        )
        assert parts == ["NoneType", "QuotaExceeded", "int"]
        there = {"kept": "before", "small": 1, "n": 1}
        assert py(driver, "return await store.items()") == there
        resize(None)
        fits = """
began = time.monotonic()
await store.update({'kept': 'after', 'big': text, 'bigger': text[::-1], 'more': text[5:]})
needed = time.monotonic() - began
await asyncio.gather(store.delete('bigger'), store.delete('more'), store.set('kept', 'before'))
return took < max(1, 3 * needed), took"""
        quick, took = py(driver, fits)
        assert quick, took  # on a slow machine what fits takes long, too
        py(driver, "await store.set('big', 'fits now')")
        driver.refresh()
        connect_test_app(driver, site.url("pyodide"))
        assert py(driver, "return await store.items()") == {**there, "big": "fits now"}


@pytest.mark.engines("each")
@pytest.mark.parametrize("refusal", ["throws", "reads back nothing"])
def test_a_browser_that_keeps_no_keys_keeps_their_bytes(page: Any, refusal: str) -> None:
    """Where a CryptoKey cannot be stored the device key is kept as bytes, is the same again later, and is named so."""
    page.run("window.refuseKeys(args[0])", refusal)
    try:
        check(
            page,
            """
backend = await make_indexeddb()
first, second = WebCrypto(backend.keys()), WebCrypto(backend.keys())
assert await first.keeps_keys() == "plain"
sealed = await first.seal(await first.device_key(), bytes(12), b"root", b"x")
assert await second.open(await second.device_key(), bytes(12), sealed, b"x") == b"root"
assert await second.keeps_keys() == "plain"
""",
        )
    finally:
        page.run("window.refuseKeys(null)")
    check(page, "assert await (await make_webcrypto()).keeps_keys() == 'kept'")
