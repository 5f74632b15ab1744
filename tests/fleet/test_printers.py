"""What a kiosk offers to print: only what its printer can print now."""

import pytest

from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.fleet import queries
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import DeviceKind, Kiosk, Link
from tests import machines


@pytest.mark.parametrize(
    ("state", "link", "can_print"),
    [
        (None, Link.READY, True),
        ("ok", Link.READY, True),
        ("paper-out", Link.READY, False),
        ("cover-open", Link.READY, False),
        ("offline", Link.READY, False),
        ("ok", Link.SILENT, False),
    ],
)
def test_printing_is_offered_when_there_is_paper(
    database: Database, site: Site, state, link: Link, *, can_print
) -> None:
    with database.transaction() as session:
        machines.start_hub(session)
        kiosk = Kiosk(site_id=site.id, name="Theke", register_code="K1")
        session.add(kiosk)
        session.flush()
        printer = machines.connect_device(session, site.id, DeviceKind.PRINTER, "drucker", kiosk_id=kiosk.id)
        if state is not None:
            machines.set_property(session, Dispatcher(), printer, "printer/state", state)
        printer.link = link
        session.flush()
        assert queries.can_print(session, kiosk.id) is can_print
        assert queries.can_print(session, kiosk.id + 1) is False
