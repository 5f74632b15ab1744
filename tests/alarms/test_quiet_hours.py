"""Quiet hours keep messages back."""

from datetime import UTC, datetime

import pytest

from shop_hub.alarms import service
from shop_hub.alarms.models import AlarmContact
from shop_hub.core.conditions import Severity


def test_quiet_hours_keep_messages_back_but_not_what_is_critical(village):
    village.tell(quiet=(11 * 60, 13 * 60), is_woken=True)
    village.begin("Drucker")
    village.begin("Gefriertruhe", Severity.CRITICAL)
    village.look()
    assert village.subjects() == ["Dorfladen Lindenau: Gefriertruhe broke"]
    village.look(61)
    assert village.subjects() == ["Dorfladen Lindenau: Drucker broke", "Dorfladen Lindenau: Gefriertruhe broke"]


def test_who_must_sleep_is_told_in_the_morning(village):
    village.tell(quiet=(11 * 60, 13 * 60), is_woken=False)
    village.begin("Gefriertruhe", Severity.CRITICAL)
    village.look(59)
    assert village.mails() == []
    village.look(60)
    assert len(village.mails()) == 1


def test_what_was_over_before_the_quiet_hours_ended_is_not_told(village):
    village.tell(quiet=(11 * 60, 13 * 60))
    village.begin("Drucker")
    village.look()
    village.end("Drucker")
    village.look(5)
    village.look(120)
    assert village.mails() == []


@pytest.mark.parametrize(
    ("begin", "end", "hour", "quiet"),
    [
        (22, 6, 23, True),
        (22, 6, 5, True),
        (22, 6, 6, False),
        (22, 6, 12, False),
        (12, 14, 12, True),
        (12, 14, 14, False),
    ],
)
def test_quiet_hours_may_span_midnight(begin, end, hour, quiet):
    contact = AlarmContact(quiet_from=begin * 60, quiet_to=end * 60)
    assert service.is_quiet(contact, datetime(2026, 7, 1, hour, tzinfo=UTC)) is quiet
