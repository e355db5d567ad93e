"""Tell an operator: by a webhook, or by mail. Whatever goes wrong here is said, and fails nothing.

Secrets come from the environment when they are needed, go to the spec's own address and nowhere else (redirects are not
followed), and are blotted out of what is said.
"""

import functools
import os
import smtplib
import socket
import ssl
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit, urlunsplit

from assay.contracts.errors import AssayError, SpecError
from assay.contracts.operations import Notify
from assay.contracts.section import is_this_machine
from assay.contracts.spec import Spec
from assay.operating.news import TRIAL, News

ATTEMPTS = 2
PAUSE_SECONDS = 1.0
LONGEST_TEXT = 3_000  # characters; chat services take no more


class NotTold(Exception):
    """A message was not delivered; the words say why, and hold no secret."""


def tell(notify: Notify, news: News) -> list[str]:
    """Send what the spec wants to be told, if anything. Returns why what could not be sent was not; it is also said."""
    chosen = news.about(notify.on)
    if not chosen.lines or not notify.anybody:
        return []
    failures = []
    for name, send in ways(notify).items():
        try:
            tried(functools.partial(send, notify, chosen))
        except NotTold as error:
            failures.append(f"{name}: {error}")
    for words in failures:
        print(f"assay: not told of `{chosen.dataset}` by {words}", file=sys.stderr, flush=True)
    return failures


def try_out(spec: Spec) -> str:
    """Send a message that says it is a trial; what was done, in words.

    Raises:
        SpecError: the spec names nobody.
        AssayError: a message could not be sent.
    """
    if not spec.notify.anybody:
        raise SpecError(f"`{spec.name}` tells nobody; give [notify] a webhook, a webhook_variable, or mail_to")
    news = News(spec.name, ((TRIAL, "this is a trial; a night would tell of " + ", ".join(spec.notify.on)),))
    if failures := tell(spec.notify.model_copy(update={"on": (TRIAL,)}), news):
        raise AssayError("; ".join(failures))
    return f"sent by {' and '.join(ways(spec.notify))}"


def ways(notify: Notify) -> dict[str, Callable[[Notify, News], None]]:
    """How the spec wants to be told."""
    found: dict[str, Callable[[Notify, News], None]] = {}
    if notify.webhook or notify.webhook_variable:
        found["webhook"] = post
    if notify.mail_to:
        found["mail"] = mail
    return found


def tried(send: Callable[[], None]) -> None:
    """Send, and again where the network was not there. Raises `NotTold`."""
    for attempt in range(ATTEMPTS):
        try:
            send()
            return
        except NotTold:
            raise
        except Exception as error:  # whatever a library makes of a network
            if attempt + 1 == ATTEMPTS:
                raise NotTold(f"{type(error).__name__} in {ATTEMPTS} attempts: {str(error)[:200]}") from None
            time.sleep(PAUSE_SECONDS)


def post(notify: Notify, news: News) -> None:
    """One POST with JSON. Raises `NotTold` where the answer is no success."""
    import httpx

    url = secret(notify.webhook_variable) or notify.webhook
    parts = urlsplit(url)
    local = is_this_machine(parts.hostname or "")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and local)):
        raise NotTold("the webhook is not an https address, and plain http is allowed to this machine only")
    key = secret(notify.key_variable)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"text": news.text[:LONGEST_TEXT]} if notify.form == "text" else news.described()
    path = urlunsplit(("", "", parts.path, parts.query, "")) if notify.webhook_variable else ""  # which answers repeat
    hidden = (url, path if len(path) > 1 else "", key)
    try:
        with httpx.Client(timeout=notify.timeout_seconds, follow_redirects=False, trust_env=not local) as client:
            answer = client.post(url, json=body, headers=headers)
    except httpx.HTTPError as error:
        raise ConnectionError(blotted(f"{type(error).__name__} {error}".strip(), *hidden)) from None
    if answer.status_code >= 500:
        raise ConnectionError(f"status {answer.status_code}")
    if not answer.is_success:
        said = blotted(" ".join(answer.text.split()), *hidden)[:200]
        raise NotTold(f"status {answer.status_code}: {said or 'nothing more'}")


def mail(notify: Notify, news: News) -> None:
    """One mail to all. Raises `NotTold` where the server does not take it."""
    message = EmailMessage()
    message["Subject"] = " ".join(news.subject.split())[:200]
    message["From"], message["To"] = notify.mail_from, ", ".join(notify.mail_to)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="assay.invalid")
    message.set_content(f"{news.text}\n\n-- \nassay on {socket.gethostname()}\n")
    password = secret(notify.mail_password_variable)
    trusted = ssl.create_default_context()
    try:
        with connected(notify, trusted) as server:
            if notify.mail_security == "starttls":
                server.starttls(context=trusted)
            if notify.mail_user:
                server.login(notify.mail_user, password)
            server.send_message(message)
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError):
        raise
    except smtplib.SMTPException as error:
        raise NotTold(blotted(f"{type(error).__name__}: {error}", password)[:300]) from None


def connected(notify: Notify, trusted: ssl.SSLContext) -> smtplib.SMTP:
    """The server, asked for within the time allowed."""
    place = (notify.mail_server, notify.mail_port)
    if notify.mail_security == "tls":
        return smtplib.SMTP_SSL(*place, timeout=notify.timeout_seconds, context=trusted)
    return smtplib.SMTP(*place, timeout=notify.timeout_seconds)


def secret(variable: str) -> str:
    """What an environment variable holds; empty where none is named. Raises `NotTold` where it is not set."""
    if not variable:
        return ""
    held = os.environ.get(variable, "").strip()
    if not held or not held.isascii() or not held.isprintable():
        raise NotTold(f"the environment variable {variable} is not set, or holds no secret; set it where assay runs")
    return held


def blotted(text: str, *secrets: str) -> str:
    """A text without what nobody shall read."""
    for held in secrets:
        text = text.replace(held, "[secret]") if held else text
    return text
