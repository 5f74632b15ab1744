"""What a scanner reads reaches the hub once, in time, and by the right kiosk."""

import time

from devices.protocol import topics
from devices.protocol.messages import Event
from shop_hub.core.events import bus
from shop_hub.fleet.models import (
    DeviceEvent,
    Kiosk,
)
from tests.fleet.kit import SCANNER, SITE, eventually


class TestScanner:
    def test_a_scan_reaches_the_page_of_its_kiosk_and_is_stored_nowhere(self, make_village, site, database):
        with database.transaction() as session:
            kiosk = Kiosk(site_id=site.id, name="Theke", register_code="K1")
            session.add(kiosk)
        village = make_village(SCANNER, kiosk_id=kiosk.id)
        village.start_worker()
        village.device.start()
        with bus.listen() as screen:
            village.device.event("scan", "scanned", symbology="qr", data="D1MSECRET")
            eventually(lambda: village.all(DeviceEvent))
            found = []
            while not screen.empty():
                found.append(screen.get())

        if database.is_sqlite:
            assert [e for e in found if e["topic"] == "scan"] == [
                {"topic": "scan", "site": site.id, "kiosk": kiosk.id, "data": "D1MSECRET"}
            ]
        assert village.all(DeviceEvent)[0].data == {"symbology": "qr"}

    def test_an_old_scan_is_put_into_nobodys_basket(self, make_village, site, database):
        with database.transaction() as session:
            kiosk = Kiosk(site_id=site.id, name="Theke", register_code="K1")
            session.add(kiosk)
        village = make_village(SCANNER, kiosk_id=kiosk.id)
        village.start_worker()
        village.device.start()
        village.device.seq += 1
        old = Event(event=f"{village.device.epoch}/1/1", node="scan", type="scanned", age_ms=9_000, data={"data": "x"})
        with bus.listen() as screen:
            village.device.raw(topics.event_topic(SITE, SCANNER), old.encode())
            eventually(lambda: village.all(DeviceEvent))
            time.sleep(0.05)
            topics_seen = []
            while not screen.empty():
                topics_seen.append(screen.get()["topic"])

        assert "scan" not in topics_seen
