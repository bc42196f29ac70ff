"""For tests: the French catalogue, compiled as the build does it, and spoken for a while."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from build import catalogues
from masq_store.ui.text import translation


@contextmanager
def french() -> Iterator[None]:
    """Speak French inside, English after."""
    [path] = [path for path in catalogues.files() if path.parts[-3] == "fr"]
    translation.add("fr", io.BytesIO(catalogues.compiled(path)))
    translation.use("fr")
    try:
        yield
    finally:
        translation.use("en")
