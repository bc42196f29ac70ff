"""The link as a QR code."""

import re

import pytest
import segno
from ui_rig import LINK

from masq_store.ui.html import qr


@pytest.mark.parametrize("text", [LINK, LINK + "&relay=wss://" + "a" * 300, "x"])
def test_the_path_draws_what_the_code_holds(text):
    """Each run of the path is dark where the code is, nothing else is, and the border is four modules wide."""
    size, path = qr.code(text)
    dark = set()
    for x, y, length, back in re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", path):
        assert length == back
        dark |= {(int(x) + step, int(y)) for step in range(int(length))}
    wanted = segno.make_qr(text, error="m").matrix
    assert size == len(wanted) + 8
    assert dark == {(x + 4, y + 4) for y, row in enumerate(wanted) for x, module in enumerate(row) if module}
    assert re.sub(r"M\d+ \d+h\d+v1h-\d+z", "", path) == ""
