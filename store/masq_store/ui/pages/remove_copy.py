"""Taking back a copy that a browser keeps apart from the store: on the page of the devices, and on the app's own."""

from masq_store.ui.pages.shell import Shell
from masq_store.ui.text import sync_status
from masq_store.ui.text.translation import _


async def remove_copy(shell: Shell, copy: str) -> None:
    """Remove the copy with that id, and say so."""
    name = next((sync_status.copy_name(one) for one in shell.overview["copies"] if one["id"] == copy), "")
    done, _nothing = await shell.act("remove-copy", shell.link.call("remove_device", copy))
    if done:
        await shell.fetch()
        shell.close(_("{name} was removed. The app loses it when it is next in touch.", name=name))
        shell.screen.focus("notice")
