"""A DOM diff: makes one tree of elements like another while keeping what need not change.

A node that stays keeps its focus, what is typed in it, where it is scrolled to, and is not read aloud again.
The browser's nodes come in as arguments: nothing here names the browser.
"""

from collections import deque
from typing import Any

ELEMENT, TEXT = 1, 3


def morph(old: Any, new: Any) -> None:
    """Make `old` equal `new`, which is of the same kind and name. `new` may lose children to `old`."""
    if old.isEqualNode(new):
        return
    if old.nodeType == TEXT:
        old.data = new.data
    elif old.nodeType == ELEMENT:
        _attributes(old, new)
        _children(old, new)


def _attributes(old: Any, new: Any) -> None:
    for name in list(old.getAttributeNames()):
        if not new.hasAttribute(name):
            old.removeAttribute(name)
    for name in list(new.getAttributeNames()):
        value = new.getAttribute(name)
        if old.getAttribute(name) != value:
            old.setAttribute(name, value)


def _children(old: Any, new: Any) -> None:
    pool: dict[tuple[str, str], deque[Any]] = {}
    for child in list(old.childNodes):
        pool.setdefault(_name(child), deque()).append(child)
    pairs = []
    for child in list(new.childNodes):
        same = pool.get(_name(child))
        pairs.append((same.popleft() if same else None, child))
    for (
        unwanted
    ) in pool.values():  # first, so that what stays need not be moved: a moved field loses the focus
        for child in unwanted:
            child.remove()
    place = old.firstChild
    for kept, child in pairs:
        if kept is None:
            old.insertBefore(child, place)
            continue
        if place and kept.isSameNode(place):
            place = place.nextSibling
        else:
            old.insertBefore(kept, place)
        morph(kept, child)


def _name(node: Any) -> tuple[str, str]:
    """Return what must be the same in two nodes for one to become the other."""
    if node.nodeType != ELEMENT:
        return str(node.nodeName), ""
    return str(node.nodeName), str(node.getAttribute("data-key") or node.id or "")
