"""The strip of the store in an app's page: a field for the link that the store's window shows.

The frame passes on the `link` of the form that is sent, whichever it is: so "Not now" has a form of its own.
"""

from masq.errors import MasqError
from masq_store.core.enrolment.link_machine import NOT_NOW
from masq_store.ui.html.render import TEMPLATES
from masq_store.ui.text import translation
from masq_store.ui.text.error_sentences import said_of_link


def draw(state: str, error: MasqError | None, look: str, languages: list[str]) -> str:
    """Return the strip's HTML.

    `state`: "ask", "look", "wait" or "end", then with the `error` that tells why. `look`: the address of the style
    sheet. `languages`: those that the browser asks pages for, the best first.
    """
    translation.use(translation.best(languages))
    sentence = said_of_link(error) if error else ""
    return TEMPLATES["strip.html"].render(
        state=state, sentence=sentence, look=look, language=translation.language(), not_now=NOT_NOW
    )
