"""A village where the test says what is the matter."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as policy

from shop_hub.alarms import contacts, queries, service
from shop_hub.alarms.contacts import NewContact
from shop_hub.alarms.mails import handlers
from shop_hub.core import clock, outbox
from shop_hub.core.access import Role
from shop_hub.core.conditions import Condition, Severity
from shop_hub.people import staff

MINUTE = timedelta(minutes=1)


class Watchman:
    """A village where the test says what is the matter; mails land in a folder."""

    def __init__(self, hub, database, site, folder):
        self.hub, self.database, self.site, self.folder = hub, database, site, folder
        self.holding = {}
        with database.transaction() as session:
            operator = staff.create_operator(session, staff.NewOperator(user_name="ines"))
            staff.set_role(session, operator.id, site.id, Role.OPERATOR, actor="system")
            self.operator_id = operator.id

    def tell(self, **more):
        fields = {"name": "Ines", "address": "ines@example.org"} | more
        with self.database.transaction() as session:
            new = NewContact(**fields)
            return contacts.add(session, self.site.id, self.operator_id, new, actor="operator:1")

    def begin(self, key, severity=Severity.WARNING):
        self.holding[key] = Condition(
            key=key, severity=severity, text="%(name)s broke", params={"name": key}, since=NOON
        )

    def end(self, key):
        del self.holding[key]

    def look(self, minutes=0):
        """Look, and look again once what is gone has been gone for long enough."""
        with ExitStack() as stack:
            stack.enter_context(clock.shifted(minutes * MINUTE))
            for _ in range(2):
                with self.database.transaction() as session:
                    service.look(session, [lambda _session, _site_id: list(self.holding.values())])
            outbox.send_due(self.database, handlers(self.hub))

    def mails(self):
        return sorted((read(path) for path in self.folder.glob("*.eml")), key=lambda mail: mail["Subject"])

    def subjects(self):
        return [mail["Subject"] for mail in self.mails()]

    def open(self):
        with self.database.reading() as session:
            return queries.open_alarms(session, self.site.id)

    def acknowledge(self, note=""):
        with self.database.transaction() as session:
            service.acknowledge(session, self.site.id, self.open()[0].public_id, note, actor="operator:1")


def read(path):
    return message_from_bytes(path.read_bytes(), policy=policy)


NOON = datetime(2026, 7, 1, 10, tzinfo=UTC)


"""Noon at the shop."""
