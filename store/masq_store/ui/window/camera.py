"""QR codes in front of the camera, where the browser itself can read them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from masq.errors import MasqError
from masq_store.ui.text.translation import _

LOOK_EVERY = 0.2  # seconds between two looks at the picture


async def can_scan(js: Any) -> bool:
    """Say whether this browser has a camera to ask for and reads QR codes."""
    detector = getattr(js, "BarcodeDetector", None)
    devices = getattr(js.navigator, "mediaDevices", None)
    if not detector or not devices or not getattr(devices, "getUserMedia", None):
        return False
    try:
        return "qr_code" in (await detector.getSupportedFormats()).to_py()
    except Exception:  # a browser that has the name only
        return False


async def scan(js: Any, video: Any, found: Callable[[str], None]) -> Callable[[], None]:
    """Show the camera in `video` and call `found` with each code; returns what ends it. Raises MasqError."""
    from pyodide.ffi import to_js

    wanted = to_js({"video": {"facingMode": "environment"}}, dict_converter=js.Object.fromEntries)
    try:
        stream = await js.navigator.mediaDevices.getUserMedia(wanted)
    except Exception as error:  # refused, no camera, or in use elsewhere
        raise MasqError(
            _("The camera cannot be used. Allow it for this site, or paste the link instead.")
        ) from error

    def dark() -> None:
        for track in stream.getTracks():
            track.stop()
        video.srcObject = None

    formats = to_js({"formats": ["qr_code"]}, dict_converter=js.Object.fromEntries)
    try:
        video.srcObject = stream
        await video.play()
        looking = asyncio.ensure_future(_look(js.BarcodeDetector.new(formats), video, found))
    except Exception as error:  # the page went on meanwhile, and the element with it
        dark()
        raise MasqError(_("The camera cannot be used. Paste the link instead.")) from error

    def end() -> None:
        looking.cancel()
        dark()

    return end


async def _look(detector: Any, video: Any, found: Callable[[str], None]) -> None:
    while True:
        with suppress(Exception):  # a picture that is not there yet
            for code in await detector.detect(video):
                found(str(code.rawValue))
        await asyncio.sleep(LOOK_EVERY)
