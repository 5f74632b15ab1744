"""Mail to people: through an SMTP server, or into a folder where there is none (demo, tests)."""

import os
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from shop_hub.core.ids import uuid7
from shop_hub.core.settings import Mail as MailSettings

TIMEOUT_S = 20


@dataclass(frozen=True)
class Attachment:
    """A file that goes along; `mime_type` as in "image/png"."""

    name: str
    mime_type: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """A plain text mail. `key` makes its Message-ID: one that is sent again is known as the same by the receiver."""

    to: str
    subject: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    key: str = ""


class NoMailServerError(Exception):
    """Neither an SMTP server nor a folder is set."""


def send(settings: MailSettings, mail: Mail) -> None:
    """Deliver `mail`; any error means that it was not accepted and will be tried again.

    Raises:
        NoMailServerError: the settings name no way out.
        OSError, smtplib.SMTPException: the server did not take it.
    """
    message = _message(settings, mail)
    if settings.smtp_host:
        _send_smtp(settings, message)
    elif settings.folder:
        _write(Path(settings.folder), message)
    else:
        raise NoMailServerError


def _message(settings: MailSettings, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = mail.to
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = formatdate()
    domain = settings.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{mail.key}@{domain}>" if mail.key else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    for file in mail.attachments:
        maintype, _, subtype = file.mime_type.partition("/")
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.name)
    return message


def _send_smtp(settings: MailSettings, message: EmailMessage) -> None:
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S) as server:
        if settings.smtp_starttls:
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        server.send_message(message)


def _write(folder: Path, message: EmailMessage) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid7()}.eml"
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        file.write(message.as_bytes())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
