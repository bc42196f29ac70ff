"""The bar above the page that offers a newer version of the store."""

from masq_store.ui.text.translation import _


def offer() -> None:
    """Say that a newer version is there. Its button loads the page again, which is all that it takes."""
    import js
    from pyodide.ffi import create_once_callable

    document = js.document
    said = document.createElement("span")
    said.setAttribute("role", "status")
    button = document.createElement("button")
    button.id = "use-newer"
    button.type = "button"
    button.className = "secondary"
    button.textContent = _("Use it now")
    button.addEventListener("click", create_once_callable(lambda _event: js.location.reload()))
    bar = document.createElement("aside")
    bar.id = "newer"
    bar.className = "top"
    bar.setAttribute("aria-label", _("New version"))
    bar.append(said, button)
    document.getElementById("page").before(bar)
    # Not before it is on the page: only then is it read aloud.
    said.textContent = _("There is a new version of your store.")
