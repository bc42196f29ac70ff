"""What a device says of what it holds: as often as it must, and the more rarely the less it helps."""

from masq_store.core.sync.agreement import HUSH_SECONDS, MOST_HUSH_SECONDS, Agreement

LOG = {"ab" * 8: 3}


def test_one_that_is_never_content_is_given_everything_ever_more_rarely() -> None:
    """The pause doubles up to an hour, whatever is written meanwhile, and halves with each word that says no more."""
    here = Agreement()
    pauses = []
    for _ in range(9):
        here.compared(same=False)
        here.said(LOG)
        pauses.append(here.hush_seconds)
    assert pauses == [min(HUSH_SECONDS * 2**n, MOST_HUSH_SECONDS) for n in range(9)]
    for _ in range(9):
        here.begin()
        here.said(LOG)
    assert here.hush_seconds == HUSH_SECONDS


def test_what_may_be_lost_is_said_again() -> None:
    """A word, and all that goes before it, counts as said only once it stands in the log."""
    here = Agreement()
    here.compared(same=False)
    here.said(LOG)
    assert not here.due
    here.unsaid()
    assert here.differs
    here.said(LOG)
    here.stands()
    here.unsaid()
    assert not here.due


def test_nothing_is_said_where_another_has_said_it() -> None:
    """Who was about to say its digest, and hears the same one, keeps quiet."""
    here = Agreement()
    here.begin()
    assert here.due
    here.compared(same=True)
    assert not here.due


def test_two_that_cannot_compare_do_not_talk_for_ever() -> None:
    """Under one vector of the log a device answers once, unless it has something to post: then the vector moves."""
    here = Agreement()
    here.unlike(LOG, LOG, behind=False)
    assert here.due
    here.said(LOG)
    here.unlike(LOG, LOG, behind=False)
    assert not here.due
    here.unlike(LOG, LOG, behind=True)
    assert here.due


def test_who_was_ahead_is_told_once_this_device_has_read_as_much() -> None:
    """A digest that came too early is compared with this device's: it says that when it has come as far."""
    here, further = Agreement(), {**LOG, "cd" * 8: 1}
    here.unlike(LOG, further, behind=False)
    here.said(LOG)
    here.read(LOG)
    assert not here.due
    here.read(further)
    assert here.telling
    here.said(further)
    here.read(further)
    assert not here.due
