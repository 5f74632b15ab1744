"""A villager's parcels when the villager asks for all data, or to be erased."""

import pytest

from shop_hub.parcels import personal
from shop_hub.parcels.errors import ParcelsStillHereError
from tests.parcels.village import LABELS, Village


def test_waiting_parcel_needs_its_recipient_a_collected_one_loses_the_name(village: Village) -> None:
    person_id = village.person_id
    parcel_id = village.bring()
    with village.database.transaction() as session:
        exported = personal.export(session, person_id)
        assert [(parcel["number"], parcel["state"]) for parcel in exported] == [(LABELS[0], "ready_for_pickup")]
        with pytest.raises(ParcelsStillHereError) as refusal:
            personal.erase(session, person_id)
    assert refusal.value.params == {"count": 1}
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    with village.database.transaction() as session:
        personal.erase(session, person_id)
        assert personal.export(session, person_id) == []
    left = village.parcel(parcel_id)
    assert (left.recipient_name, left.sender, left.person_id) == ("", "", None)
