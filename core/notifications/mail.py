"""Mails: what one person may see of a digest, as plain text, and the sending by Django's mail settings."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.message import BadHeaderError

from core.notifications.events import find_kind, one_line, seen_by
from core.notifications.models import Delivery, Event
from core.notifications.outcomes import Outcome
from core.notifications.webhooks import page_of

MAX_EVENTS = 50
MAX_READ = 5000
"""The events of a digest whose visibility is asked; a mail counts no more than these."""
MAX_SUBJECT = 150
NOT_SET_UP = "This hub has no mail server: FEDHUB_EMAIL_URL is not set"
FOOT = (
    "The hub sends you this because of the notification rule “{rule}”. It tells only what you may see now.\n"
    "Change or pause the rule: {url}/admin/notifications/rule/{rule_id}/change/\n"
)


@dataclass(frozen=True, slots=True)
class Mail:
    """The subject and the text of a mail."""

    subject: str
    text: str


def write_mail(delivery: Delivery) -> Mail | None:
    """Return the mail of a delivery, or None if its person may see none of the events now."""
    foot = FOOT.format(rule=delivery.rule.name, url=settings.FEDHUB_SERVER_URL, rule_id=delivery.rule_id)
    if delivery.is_test:
        return Mail("[fedhub] Test of a notification rule", f"This is a test: the mails of this rule arrive.\n\n{foot}")
    if delivery.user is None:
        return None
    rows = Event.objects.filter(items__digest=delivery.digest, items__rule=delivery.rule_id).order_by("pk")
    seen = seen_by(delivery.user, list(rows[:MAX_READ]))
    if not seen:
        return None
    return Mail(_subject(seen), f"{_text(seen)}\n--\n{foot}")


def send_mail(delivery: Delivery) -> Outcome:
    """Write and send the mail of a delivery."""
    user = delivery.user
    if user is None or not user.is_active:
        return Outcome(None, "the account is not active", is_final=True)
    if not user.email:
        return Outcome(None, f"{user} has no e-mail address", is_final=True)
    if not settings.EMAIL_HOST:
        return Outcome(None, NOT_SET_UP, is_final=delivery.is_test)
    mail = write_mail(delivery)
    if mail is None:
        return Outcome(None, "the person may see none of the events", is_nothing=True)
    host = urlsplit(settings.FEDHUB_SERVER_URL).hostname or "fedhub"
    message = EmailMessage(
        mail.subject,
        mail.text,
        to=[user.email],
        # The same id at each attempt, so that a reader shows a second copy once.
        headers={"Message-ID": f"<{delivery.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    return _send(message)


def _send(message: EmailMessage) -> Outcome:
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as exc:
        code, answer = next(iter(exc.recipients.values()), (0, b""))
        return Outcome(code or None, _answer_text(answer), is_final=code >= 500)
    except smtplib.SMTPResponseException as exc:
        return Outcome(exc.smtp_code, _answer_text(exc.smtp_error))
    except (BadHeaderError, UnicodeError) as exc:
        return Outcome(None, f"the mail cannot be written: {exc}", is_final=True)
    except (OSError, smtplib.SMTPException) as exc:
        return Outcome(None, f"the mail server cannot be used: {exc or type(exc).__name__}")
    return Outcome(250, "the mail server took it", is_sent=True)


def _answer_text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


def _subject(events: Sequence[Event]) -> str:
    if len(events) == 1:
        return one_line(f"[fedhub] {events[0].text}")[:MAX_SUBJECT]
    kinds = Counter(_title(event) for event in events)
    counts = ", ".join(f"{title.lower()} ({count})" for title, count in kinds.most_common())
    return one_line(f"[fedhub] {len(events)} events: {counts}")[:MAX_SUBJECT]


def _text(events: Sequence[Event]) -> str:
    shown = events[:MAX_EVENTS]
    parts = [
        f"{_title(event)}\n{event.text}\n{event.at:%Y-%m-%d %H:%M:%S UTC}\n{page_of(event)}\n{_remedy(event)}\n"
        for event in shown
    ]
    if len(events) > len(shown):
        parts.append(f"And {len(events) - len(shown)} more.\n")
    return "\n".join(parts)


def _title(event: Event) -> str:
    kind = find_kind(event.kind)
    return kind.title if kind else event.kind


def _remedy(event: Event) -> str:
    kind = find_kind(event.kind)
    return kind.remedy if kind else ""
