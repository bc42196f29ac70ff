"""The templates, compiled when this is imported, so that the memory snapshot holds them ready."""

import pkgutil
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from masq_store.ui.html import routes
from masq_store.ui.text import formatting, sync_status, translation, value_text

NAMES = (
    "parts.html", "top.html", "message.html",
    "create.html", "unlock.html", "failed.html", "connect.html",
    "apps.html", "trash.html", "app.html", "entries.html", "withdraw.html",
    "settings.html", "profiles.html", "passphrase.html", "storage.html", "trace.html",
    "backup.html", "restore.html",
    "devices.html", "device.html", "copies.html", "invite.html", "pair.html", "take.html", "removed.html",
    "severed.html", "strip.html",
    "sync.html", "app_sync.html", "relay.html",
)  # fmt: skip


def _source(name: str) -> str:
    content = pkgutil.get_data("masq_store.ui", "templates/" + name)
    assert content is not None, name
    return content.decode()


def _environment() -> Environment:
    made = Environment(
        loader=DictLoader({name: _source(name) for name in NAMES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(
        _=translation._,
        ngettext=translation.ngettext,
        number=translation.number,
        languages=translation.LANGUAGES,
        app_address=routes.app_address,
        split_origin=routes.split_origin,
        size=formatting.size,
        moment=formatting.moment,
        day=formatting.day,
        clock=formatting.clock,
        sync_status=sync_status,
        date=formatting.date,
        readable_key=formatting.key,
        readable_value=formatting.value,
        editable=value_text.to_text,
        try_again=formatting.try_again,
    )
    return made


ENVIRONMENT = _environment()
TEMPLATES = {name: ENVIRONMENT.get_template(name) for name in NAMES}


def render(name: str, **model: Any) -> str:
    """Return the HTML of the template `name` for `model`. Everything in the model is escaped."""
    return TEMPLATES[name].render(model)
