"""A few hundred of the fault schedules, and that they find what is wrong. All of them: see schedules.py."""

import pytest

from tests.faults.schedules import run_many

COUNT = 30
PART, MOST = 5, 200


def test_whatever_fails_nothing_moves_late_twice_or_for_strangers_and_nobody_claims_too_much():
    outcomes = run_many(range(COUNT))

    assert [f"{outcome.seed}: {outcome.broken}" for outcome in outcomes if outcome.broken] == []
    pulses = sum(outcome.counts["pulses"] for outcome in outcomes)
    assert pulses > COUNT
    assert sum(outcome.counts["command expired"] + outcome.counts["command unknown"] for outcome in outcomes) > COUNT


@pytest.mark.parametrize(
    ("guard", "without", "found", "first"),
    [
        ("devices.agent.leases.Leases.is_fresh", lambda *_: True, "late", 7),
        ("devices.protocol.mac.verify", lambda *_: True, "foreign", 2),
        ("devices.agent.commands.CommandRules._answer_again", lambda *_: False, "double", 41),
        ("shop_hub.fleet.links._is_stale", lambda *_: False, "called connected", 2),
    ],
)
def test_without_one_of_the_rules_the_schedules_find_it(monkeypatch, guard, without, found, first):
    """`first` is a schedule that finds it as the code is now: another one will when it has changed."""
    monkeypatch.setattr(guard, without)
    if found == "double":  # a journal that takes an id twice, as if it had forgotten it
        monkeypatch.setattr("devices.agent.journal.Journal.begin", lambda *_: None)

    parts = (run_many(range(start, start + PART)) for start in range(first, first + MOST, PART))
    assert any(found in text for outcomes in parts for outcome in outcomes for text in outcome.broken)
