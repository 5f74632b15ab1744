import smtplib
import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from shop_hub.core import clock, mail, outbox
from shop_hub.core.db import Database
from shop_hub.core.jobs import Job, JobLease, JobRunner
from shop_hub.core.outbox import OutboxMessage, OutboxState
from shop_hub.core.settings import Mail as MailSettings
from tests.servers import free_port


def enqueue(database: Database, key: str) -> None:
    with database.transaction() as session:
        outbox.enqueue(session, "mail", key, {"to": key})


def states(database: Database) -> dict[str, OutboxState]:
    with database.reading() as session:
        return dict(session.execute(select(OutboxMessage.key, OutboxMessage.state)).all())


def test_a_message_is_sent_once_and_its_payload_forgotten(database: Database) -> None:
    sent: list[dict] = []
    enqueue(database, "a")
    enqueue(database, "a")
    for _ in range(3):
        outbox.send_due(database, {"mail": sent.append})
    assert sent == [{"to": "a"}]
    assert states(database) == {"a": OutboxState.SENT}
    with database.reading() as session:
        assert session.scalars(select(OutboxMessage.payload)).all() == [{}]


def test_a_message_of_a_rolled_back_transaction_is_never_sent(database: Database) -> None:
    sent: list[dict] = []
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        outbox.enqueue(session, "mail", "a", {})
        raise ZeroDivisionError
    outbox.send_due(database, {"mail": sent.append})
    assert sent == []


def test_a_failed_message_is_tried_again_later_and_given_up_in_the_end(database: Database) -> None:
    tries: list[dict] = []

    def fail(payload: dict) -> None:
        tries.append(payload)
        raise OSError

    enqueue(database, "a")
    outbox.send_due(database, {"mail": fail})
    outbox.send_due(database, {"mail": fail})
    assert len(tries) == 1
    for number in range(1, outbox.MOST_TRIES + 5):
        with clock.shifted(timedelta(days=number)):
            outbox.send_due(database, {"mail": fail})
    assert len(tries) == outbox.MOST_TRIES
    assert states(database) == {"a": OutboxState.FAILED}


def test_twins_send_each_message_once(database: Database) -> None:
    sent: list[str] = []
    for number in range(10):
        enqueue(database, str(number))
    threads = [
        threading.Thread(target=outbox.send_due, args=(database, {"mail": lambda p: sent.append(p["to"])}))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == sorted(str(number) for number in range(10))


class Inbox:
    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - the name that aiosmtpd calls
        content = message_from_bytes(envelope.content, policy=policy)
        self.mails.append((envelope.rcpt_tos, content.get_body().get_content().strip()))
        return "250 taken"


def test_a_mail_goes_through_a_real_smtp_conversation() -> None:
    inbox = Inbox()
    port = free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        settings = MailSettings(smtp_host="127.0.0.1", smtp_port=port, smtp_starttls=False)
        mail.send(settings, mail.Mail("eva@dorf.example", "Ihr Paket\r\nBcc: x@y.example", "Grüße aus dem Laden\n"))
    finally:
        server.stop()
    assert inbox.mails == [(["eva@dorf.example"], "Grüße aus dem Laden")]


def test_a_server_that_offers_no_encryption_is_not_used_when_encryption_is_asked_for() -> None:
    port = free_port()
    server = Controller(Inbox(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            mail.send(MailSettings(smtp_host="127.0.0.1", smtp_port=port), mail.Mail("eva@dorf.example", "a", "b"))
    finally:
        server.stop()


def test_without_a_server_mails_land_in_a_folder(tmp_path: Path) -> None:
    mail.send(MailSettings(folder=str(tmp_path)), mail.Mail("eva@dorf.example", "Ihr Paket", "Hallo\n"))
    (file,) = tmp_path.iterdir()
    content = message_from_bytes(file.read_bytes(), policy=policy)
    assert (content["To"], content["Subject"], content.get_content()) == ("eva@dorf.example", "Ihr Paket", "Hallo\n")


def runner(database: Database, job: Job, not_before: datetime = datetime(2020, 1, 1, tzinfo=UTC)) -> JobRunner:
    return JobRunner(database, [job], clock.ClockWatch(not_before))


def test_a_due_job_runs_in_one_of_several_processes(database: Database) -> None:
    runs: list[str] = []
    job = Job("sweep", timedelta(minutes=5), lambda _session: runs.append("x"))
    both = [runner(database, job), runner(database, job)]
    threads = [threading.Thread(target=each.run_due) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == ["x"]


def test_after_an_outage_a_job_runs_once(database: Database) -> None:
    runs: list[str] = []
    each = runner(database, Job("sweep", timedelta(minutes=5), lambda _session: runs.append("x")))
    each.run_due()
    with clock.shifted(timedelta(days=1)):
        each.run_due()
        each.run_due()
    assert len(runs) == 2


def test_jobs_and_messages_go_on_when_the_clock_was_ahead_and_is_put_back(database: Database) -> None:
    runs: list[str] = []
    each = runner(database, Job("sweep", timedelta(minutes=5), lambda _session: runs.append("x")))
    with clock.shifted(timedelta(days=30)):
        each.run_due()
        enqueue(database, "a")
    each.run_due()
    outbox.send_due(database, {"mail": lambda payload: runs.append(payload["to"])})
    assert runs == ["x", "x", "a"]


def test_a_job_that_fails_says_so_and_runs_again(database: Database) -> None:
    def fail(_session: object) -> None:
        raise ZeroDivisionError

    each = runner(database, Job("sweep", timedelta(minutes=5), fail))
    each.run_due()
    with database.reading() as session:
        assert session.get(JobLease, "sweep").last_error == "ZeroDivisionError"
    with clock.shifted(timedelta(minutes=6)):
        assert each.run_due() == 1


def test_a_killed_holder_is_replaced_when_its_lease_ends(database: Database) -> None:
    runs: list[str] = []
    each = runner(database, Job("sweep", timedelta(minutes=5), lambda _session: runs.append("x")))
    with database.transaction() as session:
        lease = session.get(JobLease, "sweep")
        lease.owner, lease.lease_until = "killed", clock.now() + timedelta(minutes=5)
    assert each.run_due() == 0
    with clock.shifted(timedelta(minutes=6)):
        assert each.run_due() == 1


def test_a_job_that_needs_the_time_waits_while_the_clock_is_suspect(database: Database) -> None:
    runs: list[str] = []
    job = Job("expire", timedelta(minutes=5), lambda _session: runs.append("x"), needs_trusted_clock=True)
    each = runner(database, job)
    with clock.shifted(timedelta(days=15)):
        each.run_due()
    assert runs == []
    each.run_due()
    assert runs == ["x"]
