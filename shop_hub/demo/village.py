"""Makes the demo village: data folder, database, everything in it, and the files its processes read."""

import json
import secrets
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from shop_hub import models as _models  # noqa: F401 - all tables
from shop_hub import recovery
from shop_hub.core import audit
from shop_hub.core import settings as settings_module
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.demo import goods, machines, notices, parcels, people, tables
from shop_hub.people import queries as people_queries
from shop_hub.people import staff

MARKER = "this-is-a-demo-village"
SETTINGS = "hub.toml"
SLUG = "kranichbrueck"

Say = Callable[[str], None]


def make(data: Path, say: Say) -> dict[str, Any]:
    """Create the village in an empty folder; return what its processes and visitors must know."""
    settings = Settings(data=data)
    recovery.upgrade(settings)
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            return _fill(session, hasher, say)
    finally:
        database.dispose()


def write_settings(data: Path, state: dict[str, Any]) -> None:
    """Write the hub's settings file."""
    lines = {
        "": {"data": str(data), "production": False},
        "http": {"port": state["port"]},
        "mqtt": {"port": state["ports"]["broker"], "password": state["hub_password"]},
        "mail": {"sender": "dorfladen@kranichbrueck.example", "folder": str(data / "mail")},
        "kiosk": {"auto_pair_loopback": True},
    }
    text = ""
    for section, values in lines.items():
        text += f"\n[{section}]\n" if section else ""
        text += "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    tomllib.loads(text)
    path = data / SETTINGS
    path.touch(mode=0o600)
    path.write_text(text)
    settings_module.load(path, {})


def write_simulators(data: Path, state: dict[str, Any]) -> Path:
    """Write the simulators' configuration; return its path."""
    path = data / "simulators.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(machines.simulators(data, state), indent=1))
    return path


def _fill(session: Session, hasher: SecretHasher, say: Say) -> dict[str, Any]:
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
    say(f"Building {about['name']} …")
    goods.add_rates(session)
    ids = goods.add_goods(session, site)
    say(f"  {len(ids)} products with price, VAT and stock")
    logins = people.add_people(session, hasher, site)
    say(f"  {len(logins.members)} villagers, {len(logins.operators)} operators, {len(logins.couriers)} couriers")
    devices = machines.add_machines(session, hasher, site, ids)
    say(f"  {len(devices)} machines")
    occupied = parcels.add_parcels(session, site)
    say(f"  {len(occupied)} parcels waiting, {notices.add_notices(session, site)} notices and events")
    return {
        "site": site.slug,
        "place": site.place,
        "devices": devices,
        "occupied": occupied,
        "hub_password": secrets.token_urlsafe(24),
        "monitor_password": secrets.token_urlsafe(24),
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
