"""Makes the demo village: database and everything in it. A process of its own, so that the supervisor stays small."""

import sys
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from devices.broker.nats import NatsFiles
from shop_hub import models as _models  # noqa: F401 - all tables
from shop_hub import recovery
from shop_hub.core import audit
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.core.sites import Site
from shop_hub.demo import files, goods, machines, notices, parcels, people, tables
from shop_hub.fleet import provisioning, signins
from shop_hub.fleet.registry import Registry
from shop_hub.people import queries as people_queries
from shop_hub.people import staff

SLUG = "kranichbrueck"


def make(data: Path) -> None:
    """Create the village in a folder; its state file, written last, says that it is whole."""
    settings = Settings(data=data)
    recovery.upgrade(settings)
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            state = _fill(session, hasher)
        _let_in(data, database, hasher)
    finally:
        database.dispose()
    files.write(data / files.STATE, state)


def _let_in(data: Path, database: Database, hasher: SecretHasher) -> None:
    """Write who may sign in at the broker, so that it knows them at its first start; later the hub keeps the list."""
    registry = Registry(database)
    registry.refresh()
    NatsFiles(data / files.BROKER).put(signins.accounts(hasher, Mqtt(), registry))


def _fill(session: Session, hasher: SecretHasher) -> dict[str, Any]:
    about = tables.table("village")
    site = Site(
        slug=SLUG,
        name=about["shop_name"],
        street=f"{about['shop_street']} {about['shop_house_number']}",
        postcode="16999",
        place=about["name"],
        land=about["land"],
        timezone=about["timezone"],
    )
    session.add(site)
    session.flush()
    print(f"Building {about['name']} …")
    goods.add_rates(session)
    ids = goods.add_goods(session, site)
    print(f"  {len(ids)} products with price, VAT and stock")
    logins = people.add_people(session, hasher, site)
    print(f"  {len(logins.members)} villagers, {len(logins.operators)} operators, {len(logins.couriers)} couriers")
    devices = machines.add_machines(session, hasher, site, ids)
    print(f"  {len(devices)} machines")
    occupied = parcels.add_parcels(session, site)
    print(f"  {len(occupied)} parcels waiting, {notices.add_notices(session, site)} notices and events")
    return {
        "site": site.slug,
        "place": site.place,
        "devices": devices,
        "occupied": occupied,
        "monitor_password": provisioning.broker_password(hasher, "monitor"),
        "logins": logins.operators,
        "members": logins.members,
        "couriers": logins.couriers,
        "tokens": _tokens(session, site),
    }


def _tokens(session: Session, site: Site) -> dict[str, str]:
    carrier = people_queries.carriers(session)[0]
    roles = {Role.TILL: None, Role.CARRIER: carrier.id, Role.MONITOR: None}
    return {
        role.value: staff.issue_api_token(
            session, site.id, role, label=f"Demo {role.value}", days=365, carrier_id=carrier_id
        ).text
        for role, carrier_id in roles.items()
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]))
