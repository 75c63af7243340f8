"""Mail by SMTP, in a thread beside the event loop."""

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from app.config import Settings
from domain.ports import Letter
from pages.i18n import translate

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 15


class SmtpMailer:
    """See `domain.ports.Mailer`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def ready(self) -> bool:
        """Whether a mail server was named."""
        return self._settings.smtp_host is not None

    async def send(self, *letters: Letter) -> int:
        """Send letters over one connection; how many the server took."""
        if not letters or not self.ready:
            return 0
        return await asyncio.to_thread(self._send, letters)

    def _send(self, letters: Sequence[Letter]) -> int:
        sent = 0
        try:
            with self._connected() as server:
                for letter in letters:
                    try:
                        server.send_message(self._message(letter))
                        sent += 1
                    except smtplib.SMTPRecipientsRefused as error:
                        log.warning("mail to %s was refused: %s", letter.to, error)
        except (OSError, smtplib.SMTPException) as error:
            log.warning("%d of %d mails were not sent: %s", len(letters) - sent, len(letters), error)
        return sent

    def _connected(self) -> smtplib.SMTP:
        settings, host = self._settings, self._settings.smtp_host or ""
        context = ssl.create_default_context()
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, settings.smtp_port, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, settings.smtp_port, timeout=TIMEOUT_SECONDS)
            if settings.smtp_security == "starttls":
                server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password or "")
        return server

    def _message(self, letter: Letter) -> EmailMessage:
        link = f"{(self._settings.public_origin or '').rstrip('/')}{letter.path}"
        subject = translate(letter.subject, letter.language, **letter.params)
        message = EmailMessage()
        message["From"], message["To"] = self._settings.smtp_from, letter.to
        # A name with a line break in it must not become a header of its own.
        message["Subject"] = " ".join(subject.split())
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="samrad.invalid")
        message.set_content(translate(letter.text, letter.language, **letter.params, link=link))
        return message
