"""One try to mail the body of a webhook, where its address begins with ``smtp://`` or ``smtps://``.

The address has all that it takes: ``smtps://user:password@host:465/?from=a@b.org&to=c@d.org,e@d.org``.
"""

import smtplib
import ssl
from email.message import EmailMessage
from html import unescape
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import orjson

from cronstream.notices.answer import Answer

SCHEMES: Final = ("smtp", "smtps")
_PORTS: Final = {"smtp": 25, "smtps": 465}
#: What a mail server answers that it will not take later either (RFC 5321, 4.2.1).
_FINAL: Final = 500


def send(address: str, body: bytes, patience_s: float) -> Answer:
    """Mail it, and return what came of that; it waits, so it belongs into a thread.

    Args:
        address: Where to, from whom, and by which server.
        body: Of a webhook, in JSON.
        patience_s: Seconds that the server has for each of its answers.
    """
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    sender, receivers = query.get("from", [""])[0], query.get("to", [""])[0]
    if not (sender and receivers):
        return Answer(f"the address of {parts.hostname} lacks from= or to=")
    try:
        with _connected(parts, patience_s) as server:
            if parts.username and not _is_safe(server):
                return Answer(f"{parts.hostname} has no TLS, and is not given a password")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(_message(sender, receivers, body))
    except (smtplib.SMTPException, OSError) as error:
        return _answer_to(error, parts.hostname or "")
    return Answer()


def _answer_to(error: Exception, host: str) -> Answer:
    match error:
        case smtplib.SMTPResponseException(smtp_code=code):
            return Answer(f"{host} answered {code}", is_final=code >= _FINAL)
        case smtplib.SMTPRecipientsRefused():
            return Answer(f"{host} takes no mail for whom the address names")
        case ssl.SSLCertVerificationError():
            return Answer(f"the certificate of {host} is not trusted")
    why = getattr(error, "strerror", None) or type(error).__name__
    return Answer(f"{host} cannot be reached ({why})", is_final=False)


def _connected(parts: SplitResult, patience_s: float) -> smtplib.SMTP:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=patience_s, context=context)
    server = smtplib.SMTP(host, port, timeout=patience_s)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
    return server


def _is_safe(server: smtplib.SMTP) -> bool:
    return isinstance(server.sock, ssl.SSLSocket)


def _message(sender: str, receivers: str, body: bytes) -> EmailMessage:
    told = orjson.loads(body)
    message = EmailMessage()
    message["From"], message["To"] = sender, receivers
    message["Subject"] = f"{told['verdict']}: {told['run']}"
    # The same for each copy, so that a mailbox may keep one of them.
    message["Message-ID"] = f"<{told['id']}@cronstream>"
    message["Auto-Submitted"] = "auto-generated"
    first = unescape(told["text"]).partition("\n")[0]
    message.set_content(f"{first}\n\n{told['output']}")
    return message
