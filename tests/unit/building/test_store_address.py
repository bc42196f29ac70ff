"""The store's address that `build.py --store` takes."""

import subprocess
import sys

import pytest
from patience import seconds
from relay_rig import ROOT

from build.address import store_address
from build.places import BuildError


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("https://store.example", "https://store.example"),
        ("https://store.example/", "https://store.example"),
        ("HTTPS://Store.Example:443/", "https://store.example"),
        ("http://store.localhost:80", "http://store.localhost"),
        ("https://store.example:8443", "https://store.example:8443"),
        ("https://People.example/My/store/", "https://people.example/My/store"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        (" https://store.example\n", "https://store.example"),
    ],
)
def test_addresses(typed: str, address: str) -> None:
    """It is put into the demos as a browser writes it: their pages and their offline files name it alike."""
    assert store_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            "store.example",
            "store.example:8000",
            "//store.example",
            "https://",
            "https:///x",
            "wss://store.example",
        ),
        *(
            "https://store.example:99999",
            "https://store.example:x",
            "https://u:p@store.example",
            "https://a b.example",
        ),
        *("https://store.example/?x", "https://store.example/#x", 'https://store.example/"', "https://[::1"),
    ],
)
def test_what_is_no_address(typed: str) -> None:
    """Anything else is refused, with what an address looks like."""
    with pytest.raises(BuildError, match="https://store.example"):
        store_address(typed)


def test_the_program_refuses_it() -> None:
    """`build.py` ends with the sentence, and builds nothing."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "build.py"), "--store", "store.example"],
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("'store.example' is no address of a store")
