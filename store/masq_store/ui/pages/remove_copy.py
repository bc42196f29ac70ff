"""Taking back a copy that a browser keeps apart from the store: on the page of the devices, and on the app's own."""

from typing import TYPE_CHECKING

from masq_store.ui.text import sync_status as syncing
from masq_store.ui.text.translation import _

if TYPE_CHECKING:
    from masq_store.ui.app import App


async def remove_copy(app: "App", copy: str) -> None:
    """Remove the copy with that id, and say so."""
    name = next((syncing.copy_name(one) for one in app.overview["copies"] if one["id"] == copy), "")
    done, _nothing = await app.act("remove-copy", app.link.call("remove_device", copy))
    if done:
        await app.fetch()
        app.close(_("{name} was removed. The app loses it when it is next in touch.", name=name))
        app.screen.focus("notice")
