"""What stands in the browser's storage, read raw after real use: nothing of a person but a profile's name."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.steps import click, connect_test_app, find, make_profile, py, until
from conftest import Site

DUMP = """
const found = {};
const opened = await new Promise((done, fail) => {
    const asked = indexedDB.open("masq");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
});
const text = (bytes) => btoa([...new Uint8Array(bytes)].map((byte) => String.fromCharCode(byte)).join(""));
for (const store of opened.objectStoreNames) {
    await new Promise((done) => {
        opened.transaction(store).objectStore(store).openCursor().onsuccess = ({ target }) => {
            const at = target.result;
            if (!at) return done();
            const plain = at.value instanceof CryptoKey ? new TextEncoder().encode("a key") : at.value;
            const bytes = typeof plain === "number" ? new TextEncoder().encode(String(plain)) : plain;
            found[`${store}/${at.key}`] = text(bytes);
            at.continue();
        };
    });
}
opened.close();
for (const [name, kept] of [["localStorage", localStorage], ["sessionStorage", sessionStorage]]) {
    for (const key of Object.keys(kept)) found[`${name}/${key}`] = text(new TextEncoder().encode(kept[key]));
}
return found;
"""

SECRETS = (
    "secret-key-name",
    "secret-value",
    "Secret app",
    "app.localhost",
    "other.localhost",
    "hunter2 words",
)


def dump(driver: Any) -> dict[str, bytes]:
    """Return everything in the storage of the store's origin; the driver must be on its page."""
    return {key: base64.b64decode(text) for key, text in driver.run(DUMP).items()}


def new_profile(driver: Any, name: str) -> None:
    """Make a further profile in the store's settings, where the driver must be."""
    click(driver, "#new-profile")
    make_profile(driver, name)
    until(lambda: find(driver, "#who").text == name, f"{name} to be there")


def switch_to(driver: Any, site: Site, name: str) -> None:
    """Make the other profile, which has that name, the active one, in the store's settings."""
    driver.get(site.store + "/#/settings")
    driver.refresh()
    until(lambda: name in find(driver, "#switch-profile").text, f"a way to {name}")
    click(driver, "#switch-profile")
    until(lambda: find(driver, "#who").text == name, f"{name} to be active")


@pytest.mark.slow("all that the browser keeps is read")
def test_nothing_stands_in_clear(own_browser: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    """After real use no key name, value, app, origin or passphrase is in the storage, nor in the browser's files."""
    driver = own_browser(profile=tmp_path)
    driver.get(site.store)
    make_profile(driver, "Ann", "hunter2 words", stay_unlocked=True)
    find(driver, "#apps")
    for name in ("app", "other"):
        connect_test_app(driver, site.url(name), "Secret app")
        py(
            driver,
            "for n in range(300):\n"
            "    await store.set(f'secret-key-name-{n}', 'secret-value' * 20)\n"
            "await store.increment('secret-key-name-counter', 5)\n"
            "await store.delete('secret-key-name-0')",
        )
    driver.get(site.store)
    find(driver, "#apps [data-origin]")
    found = dump(driver)
    assert len(found) > 5 and any(b"Ann" in content for content in found.values())
    for key, content in found.items():
        for secret in SECRETS:
            assert secret not in key and secret.encode() not in content, (key, secret)
            assert secret.encode("utf-16-le") not in content
    driver.quit()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    stored = [
        path for path in files if any(part in path.as_posix() for part in ("IndexedDB", "Local Storage"))
    ]
    assert stored
    for path in stored:
        if "store.localhost" in path.as_posix() or "Local Storage" in path.as_posix():
            content = path.read_bytes()
            for secret in ("secret-key-name", "secret-value", "Secret app", "hunter2 words"):
                assert secret.encode() not in content, path
                assert secret.encode("utf-16-le") not in content, path


@pytest.mark.slow("two profiles, the app allowed in each")
def test_two_profiles_and_one_app(browser: Callable[..., Any], site: Site) -> None:
    """An open app follows a switch of profile; deleting one profile leaves the other's records bit for bit."""
    driver = browser()
    connect_test_app(driver, site.url("app"))
    py(driver, "await store.set('whose', \"Ann's\")")
    app = driver.current_window_handle
    store = driver.new_tab(site.store + "/#/settings")
    find(driver, "#profiles [data-profile]")
    ann = {key.split("/")[2] for key in dump(driver) if key.startswith("records/profile/")}
    assert len(ann) == 1
    new_profile(driver, "Bob")
    driver.switch_to.window(app)
    until(lambda: py(driver, "return store.status.state") == "closed", "the app to be a stranger to Bob")
    connect_test_app(driver, site.url("app"))
    assert py(driver, "return await store.get('whose', 'nobody')") == "nobody"
    py(driver, "await store.set('whose', \"Bob's\")")
    driver.switch_to.window(store)
    switch_to(driver, site, "Ann")
    driver.switch_to.window(app)
    until(lambda: py(driver, "return store.status.profile") == "Ann", "the app to be told")
    assert py(driver, "return await store.get('whose')") == "Ann's"
    driver.switch_to.window(store)
    switch_to(driver, site, "Bob")
    driver.switch_to.window(app)
    until(lambda: py(driver, "return store.status.profile") == "Bob", "the app to be told")
    assert py(driver, "return await store.get('whose')") == "Bob's"

    driver.switch_to.window(store)
    (mine,) = ann
    before = {
        key: content
        for key, content in dump(driver).items()
        if key.startswith("records/") and mine not in key
    }
    driver.get(site.store + "/#/settings")
    click(driver, f"#open-delete-profile-{mine}")
    click(driver, "#delete-profile")
    until(lambda: not any(mine in key for key in dump(driver)), "Ann's records to go")
    after = {key: content for key, content in dump(driver).items() if key.startswith("records/")}
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed <= {"records/0"}  # the engine's generation
    driver.switch_to.window(app)
    assert py(driver, "return await store.get('whose')") == "Bob's"
