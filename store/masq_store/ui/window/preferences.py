"""Language and theme: they belong to the browser, not to a profile, and hold before Python is up.

They stand in localStorage as plain words, because the boot script reads the theme there: `masq/theme` is
"light" or "dark" and absent for the device's own, `masq/language` is "en" or "fr" and absent for the browser's.
"""

from masq_store.ui.text import translation
from masq_store.ui.window.screen import Screen

THEME, LANGUAGE = "masq/theme", "masq/language"
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
