"""Roles that a shop cannot lose, programs with limited access, personal data given out and erased."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shop_hub.core import audit, clock, tokens
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.errors import BadInputError, NotFoundError, ShopError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.sites import Site
from shop_hub.people import privacy, queries, service, staff
from shop_hub.people.errors import LastAdministratorError, NameTakenError, UnknownCardError
from shop_hub.people.models import Notify, Person
from shop_hub.people.names import search_key

HASHER = SecretHasher(b"pepper of this test run")


@pytest.fixture(autouse=True)
def kept_apart() -> Iterator[None]:
    before = dict(privacy._KEPT_BY_FEATURE)
    privacy._KEPT_BY_FEATURE.clear()
    yield
    privacy._KEPT_BY_FEATURE.clear()
    privacy._KEPT_BY_FEATURE.update(before)


def new_person(site: Site, first_name: str = "Erna", last_name: str = "Jäger") -> service.NewPerson:
    return service.NewPerson(
        home_site_id=site.id,
        first_name=first_name,
        last_name=last_name,
        street="Dorfstraße",
        house_number="7",
        email="erna@dorf.example",
        notify=Notify.MAIL,
    )


def test_user_names_are_unique_and_small(database: Database) -> None:
    with database.transaction() as session:
        assert staff.create_operator(session, staff.NewOperator(user_name=" Malte ")).user_name == "malte"
        with pytest.raises(NameTakenError):
            staff.create_operator(session, staff.NewOperator(user_name="MALTE"))
        for bad in ("", "two words", "x" * 41):
            with pytest.raises(BadInputError):
                staff.create_operator(session, staff.NewOperator(user_name=bad))


def test_last_administrator_of_a_site_stays(database: Database, site: Site) -> None:
    with database.transaction() as session:
        first, second = (staff.create_operator(session, staff.NewOperator(user_name=name)) for name in ("a", "b"))
        staff.set_role(session, first.id, site.id, Role.ADMINISTRATOR)
        for change in (
            lambda: staff.set_role(session, first.id, site.id, Role.MANAGER),
            lambda: staff.set_role(session, first.id, site.id, None),
            lambda: staff.block_operator(session, first.id, is_blocked=True, site_id=site.id, actor="operator:1"),
        ):
            with pytest.raises(LastAdministratorError):
                change()
        staff.set_role(session, second.id, site.id, Role.ADMINISTRATOR)
        staff.block_operator(session, first.id, is_blocked=True, site_id=site.id, actor="operator:2")
        with pytest.raises(LastAdministratorError):
            staff.set_role(session, second.id, site.id, None)
        entries = session.query(audit.AuditEntry).order_by(audit.AuditEntry.number).all()
    assert [(entry.action, entry.detail) for entry in entries] == [
        ("role-changed", {"role": "administrator"}),
        ("role-changed", {"role": "administrator"}),
        ("operator-blocked", {}),
    ]


def test_programs_get_only_the_roles_of_programs(database: Database, site: Site) -> None:
    with database.transaction() as session:
        for role, carrier in ((Role.ADMINISTRATOR, None), (Role.CARRIER, None), (Role.TILL, 1)):
            with pytest.raises(BadInputError):
                staff.issue_api_token(session, site.id, role, label="x", days=1, carrier_id=carrier)
        issued = staff.issue_api_token(session, site.id, Role.TILL, label="Kasse", days=1)
        assert tokens.find(session, tokens.Purpose.API, issued.text) is not None
        listed = queries.api_tokens(session, site.id)
        assert [(token.label, token.role, token.is_live) for token in listed] == [("Kasse", "till", True)]
        with pytest.raises(NotFoundError):
            staff.revoke_api_token(session, issued.id, site_id=site.id + 1, actor="operator:1")
    with clock.shifted(timedelta(days=1, seconds=1)), database.reading() as session:
        assert tokens.find(session, tokens.Purpose.API, issued.text) is None
        assert queries.api_tokens(session, site.id)[0].is_live is False


def test_people_are_found_by_any_spelling_of_name_and_address(database: Database, site: Site) -> None:
    with database.transaction() as session:
        for first, last in (("Erna", "Jäger"), ("Ernst", "Łoś"), ("Anna", "100%ig")):
            service.create_person(session, new_person(site, first, last))
        found = {
            text: [person.first_name for person in queries.find_people(session, site.id, text)]
            for text in ("jaeger", "JÄGER", "ern", "dorfstrasse 7 jäg", "los", "%", "_", "nobody", "")
        }
        assert queries.count_people(session, site.id, "ern") == 2
    assert found == {
        "jaeger": ["Erna"],
        "JÄGER": ["Erna"],
        "ern": ["Erna", "Ernst"],
        "dorfstrasse 7 jäg": ["Erna"],
        "los": ["Ernst"],
        "%": ["Anna"],
        "_": [],
        "nobody": [],
        "": ["Anna", "Erna", "Ernst"],
    }
    assert search_key("  Groß  Ö ") == "gross oe"


def test_export_holds_everything_but_no_secret(database: Database, site: Site) -> None:
    privacy.register("parcels", lambda _session, person_id: [{"of": person_id}], lambda _session, _person_id: None)
    with database.transaction() as session:
        person = service.create_person(session, new_person(site))
        service.set_pin(session, HASHER, person.id, "2580")
        card = service.issue_card(session, person.id)
        exported = json.loads(json.dumps(privacy.export_person(session, person.id)))
    assert exported["parcels"] == [{"of": person.id}]
    assert exported["person"]["last_name"] == "Jäger"
    assert exported["person"]["has_pin"] is True
    assert [one["number"] for one in exported["person"]["cards"]] == [card.id]
    text = json.dumps(exported)
    assert card.text not in text
    assert "argon2" not in text


def test_erased_person_leaves_a_number_without_name(database: Database, site: Site) -> None:
    erased_by_feature = []
    privacy.register(
        "parcels", lambda _session, _id: [], lambda _session, person_id: erased_by_feature.append(person_id)
    )
    with database.transaction() as session:
        person = service.create_person(session, new_person(site))
        card = service.issue_card(session, person.id).text
    with database.transaction() as session:
        privacy.erase_person(session, person.id, actor="operator:1")
    with database.transaction() as session:
        left = session.get_one(Person, person.id)
        values = {name: value for name, value in vars(left).items() if isinstance(value, str) and value}
        assert values == {"language": "de", "notify": "kiosk"}
        assert (left.is_blocked, left.pin_hash) == (True, None)
        with pytest.raises(UnknownCardError):
            service.identify_card(session, card)
        with pytest.raises(NotFoundError):
            privacy.erase_person(session, person.id)
        assert queries.find_people(session, site.id, "") == []
        assert audit.broken_entries(session, site.id) == []
        assert privacy.erasures(session) == [privacy.Erasure(person.public_id, site.id)]
    assert erased_by_feature == [person.id]


def test_erasure_is_refused_while_a_feature_needs_the_person(database: Database, site: Site) -> None:
    def refuse(_session: object, _person_id: int) -> None:
        raise ShopError

    privacy.register("parcels", lambda _session, _id: [], refuse)
    with database.transaction() as session:
        person = service.create_person(session, new_person(site))
    with pytest.raises(ShopError), database.transaction() as session:
        privacy.erase_person(session, person.id)
    with database.reading() as session:
        assert queries.person(session, person.id).last_name == "Jäger"


def test_whoever_came_back_with_a_backup_is_erased_again(database: Database, site: Site) -> None:
    with database.transaction() as session:
        person = service.create_person(session, new_person(site))
        other = service.create_person(session, new_person(site, "Ernst"))
        erased = [privacy.Erasure(person.public_id, site.id)]
        assert privacy.erase_again(session, erased) == 1
        assert privacy.erase_again(session, erased) == 0
        assert [left.id for left in queries.find_people(session, site.id, "")] == [other.id]
