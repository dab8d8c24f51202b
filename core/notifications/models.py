"""The tables of notifications: rules, events, the items that wait for a digest, deliveries and their attempts."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.ids import new_object_id

MAX_TEXT = 500


class Target(models.TextChoices):
    PERSON = "person", "A person, by e-mail"
    GROUP = "group", "A group, by e-mail to each member"
    WEBHOOK = "webhook", "A webhook"


class DeliveryState(models.TextChoices):
    """The state of a delivery. `NOTHING` is a mail to a person who may see none of its events."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    NOTHING = "nothing", "Nothing to tell"
    DEAD = "dead", "Given up"


class Rule(models.Model):
    """Which events are told to whom. Empty lists of federations and peers stand for all of them.

    `secret` and `previous_secret` are encrypted; until `previous_until` both sign. `last_digest_at` is the time of the
    last digest. `paused_why` tells why the hub itself has paused the rule.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    name = models.CharField(max_length=100, help_text="For people: who is told of what.")
    target = models.CharField(max_length=16, choices=Target, default=Target.PERSON)
    user = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name="person",
    )
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    url = models.CharField("URL", max_length=2000, blank=True)
    secret = models.TextField(blank=True, editable=False)
    previous_secret = models.TextField(blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    kinds = models.JSONField("events", default=list)
    federations = models.JSONField(default=list, blank=True)
    peers = models.JSONField(default=list, blank=True)
    digest_minutes = models.PositiveIntegerField("minutes between digests", default=15)
    last_digest_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_why = models.CharField(max_length=200, blank=True, editable=False)
    created_by_name = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name", "id"]
        verbose_name = "notification rule"
        # One right: on the rules and deliveries of everybody. A person's own rules need none.
        default_permissions = ("change",)
        constraints = [
            models.CheckConstraint(
                condition=Q(target=Target.PERSON, user__isnull=False, group__isnull=True, url="")
                | Q(target=Target.GROUP, user__isnull=True, group__isnull=False, url="")
                | (Q(target=Target.WEBHOOK, user__isnull=True, group__isnull=True) & ~Q(url="")),
                name="rule_has_one_receiver",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def receiver(self) -> str:
        """Return the person, the group or the URL, for people."""
        return str(self.user or self.group or self.url)

    def wants(self, event: Event) -> bool:
        """Tell whether the rule names the event: its kind, its federation if it has one, and its peer if it has one."""
        return (
            event.kind in self.kinds
            and event.at >= self.created_at
            and not (event.federation_id and self.federations and event.federation_id not in self.federations)
            and not (event.peer_id and self.peers and event.peer_id not in self.peers)
        )


class Event(models.Model):
    """One thing that happened. `key` follows from the thing, so that the thing is told once.

    `page` is the name of the address in the admin that shows the thing, and `object_id` its row. `sorted_at` is the
    time at which the rules were asked.
    """

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200, unique=True)
    at = models.DateTimeField(default=timezone.now)
    federation_id = models.CharField(max_length=24, blank=True)
    peer_id = models.CharField(max_length=24, blank=True)
    page = models.CharField(max_length=100, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    text = models.CharField(max_length=MAX_TEXT)
    sorted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["sorted_at", "id"], name="event_unsorted"),
            models.Index(fields=["kind", "federation_id", "-id"], name="event_of_federation"),
            models.Index(fields=["at"], name="event_age"),
        ]

    def __str__(self) -> str:
        return self.text


class Item(models.Model):
    """An event that a rule tells. `digest` is empty until the item is in a digest; deliveries have the same text."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="items")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="items")
    digest = models.CharField(max_length=24, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["rule", "event"], name="event_once_a_rule")]
        indexes = [models.Index(fields=["digest", "event"], name="item_of_digest")]

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.event_id}"


class Delivery(models.Model):
    """One message to one receiver. `due_at` and `lease_token` are those of the second design in `core.jobs`.

    `user` is the receiver of a mail, and `body` the JSON text of a webhook. `event_count` is the number of the digest's
    events; a test has none.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="deliveries")
    user = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name="person",
    )
    digest = models.CharField(max_length=24, blank=True)
    is_test = models.BooleanField("test", default=False)
    event_count = models.PositiveIntegerField("events", default=0)
    body = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField("next try", null=True, blank=True, default=timezone.now)
    lease_token = models.CharField(max_length=32, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=MAX_TEXT, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "deliveries"
        default_permissions = ()
        indexes = [
            models.Index(fields=["state", "due_at"], name="delivery_due"),
            models.Index(fields=["-created_at", "-id"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} to {self.receiver}"

    @property
    def receiver(self) -> str:
        """Return the person or the URL, for people."""
        return str(self.user or self.rule.url)

    @property
    def webhook_id(self) -> str:
        """Return the id of the message, the same at each attempt."""
        return f"msg_{self.id}"

    @classmethod
    def take(cls, delivery_id: str, *, now: datetime, lease: timedelta, token: str) -> bool:
        """Take a due delivery until `now` + `lease`; return False if another worker was first or it is not due."""
        due = cls.objects.filter(pk=delivery_id, state=DeliveryState.WAITING, due_at__lte=now)
        return bool(due.update(due_at=now + lease, lease_token=token, attempts=models.F("attempts") + 1))


class Attempt(models.Model):
    """One attempt of a delivery: the status of HTTP or SMTP, its time, and the beginning of the answer or the error."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField(default=timezone.now)
    code = models.PositiveIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    text = models.CharField(max_length=MAX_TEXT, blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.code or 'no answer'} after {self.milliseconds} ms"
