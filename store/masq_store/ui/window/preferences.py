"""Language, theme and whether to keep a trace: they belong to the browser, not to a profile.

They stand in localStorage as plain words, because the boot script reads the theme there, before Python is up:
`masq/theme` is "light" or "dark" and absent for the device's own, `masq/language` is "en" or "fr" and absent for the
browser's, `masq/trace` is "on" or absent.
"""

from masq_store.ui.text import translation
from masq_store.ui.window.screen import Screen

THEME, LANGUAGE, TRACE = "masq/theme", "masq/language", "masq/trace"
THEMES = ("light", "dark")


def theme(screen: Screen) -> str:
    """Return the theme that was chosen: "light", "dark", or "" for the device's."""
    chosen = screen.remembered(THEME)
    return chosen if chosen in THEMES else ""


def apply(screen: Screen) -> None:
    """Speak the chosen language, or the browser's, and show the chosen theme."""
    translation.use(translation.best([screen.remembered(LANGUAGE), *screen.languages()]))
    screen.look(translation.language(), theme(screen))


def choose_language(screen: Screen, code: str) -> None:
    """Speak `code` from now on in this browser."""
    screen.remember(LANGUAGE, code)
    apply(screen)


def choose_theme(screen: Screen, chosen: str) -> None:
    """Show `chosen` from now on in this browser: "light", "dark", or "" for the device's."""
    screen.remember(THEME, chosen)
    apply(screen)


def traced(screen: Screen) -> bool:
    """Say whether the engine is to keep a trace: see `masq_store.engine.trace`."""
    return screen.remembered(TRACE) == "on"


def choose_traced(screen: Screen, chosen: bool) -> None:
    """Have the engine keep a trace from now on, or no more, whenever a page of this browser is open."""
    screen.remember(TRACE, "on" if chosen else "")
