"""The form of the configuration file: one strict model for each kind of entry, and the JSON schema of the file.

Pure: the words of the choices are repeated here, and a test compares them with the hub's own.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

VERSION = 1
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
EXTERNAL_ID = r"^fedhub-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def fingerprint_of(text: str) -> str:
    """Return a fingerprint in groups of four hex digits, the form in which the hub shows it; raise ValueError."""
    bare = "".join(text.lower().replace(":", " ").split())
    if not _FINGERPRINT.match(bare):
        raise ValueError("a fingerprint is 64 hex digits, which blanks or colons may separate")
    return " ".join(bare[start : start + 4] for start in range(0, 64, 4))


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as exc:
        raise ValueError("a day is written as 2026-12-31") from exc


def _text(longest: int, shortest: int = 0) -> Any:
    return StringConstraints(min_length=shortest, max_length=longest)


Name = Annotated[str, _text(200, 1)]
Notes = Annotated[str, _text(10_000)]
Url = Annotated[str, _text(500, 1)]
Visibility = Literal["public", "unlisted", "private"]
Level = Literal["view", "edit", "owner"]
RoleKey = Literal["reader", "operator", "approver", "administrator"]
PeerStateWord = Literal["proposed", "approved", "rejected", "suspended", "retired"]
EventWord = Literal[
    "sync.failed", "sync.recovered", "plan.held", "work.waiting", "work.by_hand", "peer.waiting", "key.changed",
    "dead_letter", "message.refused", "storage.low", "beat.silent",
]  # fmt: skip


class Strict(BaseModel):
    """A mapping of the file: unknown keys are errors, and no value is converted. An error never repeats its input."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Entry(Strict):
    """An object of the hub. `KEYS` names the keys that say which object it is."""

    KEYS: ClassVar[tuple[str, ...]] = ("name",)

    def given(self) -> dict[str, Any]:
        """Return the values that stand in the file, without those of KEYS, as plain values."""
        return self.model_dump(exclude_unset=True, exclude=set(self.KEYS))


class SecretReference(Strict):
    """A secret, by the variable (`env`) or the file (`file`) that holds it; the secret itself may not stand here."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["env"]}, {"required": ["file"]}]})

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = Field(
        default="", description="The name of an environment variable of the command."
    )
    file: str = Field(default="", max_length=1000, description="A path, relative to the folder of this file.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.env) == bool(self.file):
            raise ValueError("name the secret by env or by file")
        return self


class Grant(Strict):
    """The access of a user or a group to a federation."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["user"]}, {"required": ["group"]}]})

    user: str = Field(default="", max_length=150, description="The name of a user.")
    group: str = Field(default="", max_length=150, description="The name of a group.")
    level: Level

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.user) == bool(self.group):
            raise ValueError("name a user or a group")
        return self

    @property
    def holder(self) -> str:
        """Return the holder as `user:NAME` or `group:NAME`."""
        return f"user:{self.user}" if self.user else f"group:{self.group}"


class Schedule(Strict):
    """When a federation is synced: an interval, or a crontab in a time zone; neither: only on request."""

    interval_seconds: Annotated[int, Field(ge=1, le=31_622_400)] | None = Field(
        default=None, description="Seconds between two syncs."
    )
    crontab: str = Field(
        default="", max_length=100, description="Minute, hour, day of the month, month, day of the week: 0 2 * * *"
    )
    time_zone: str = Field(default="UTC", max_length=64, description="The crontab's time zone, such as Europe/Berlin.")
    paused: bool = Field(default=False, description="No scheduled sync starts while true. Leave it out to keep it.")


class FederationEntry(Entry):
    """A federation, which its name identifies."""

    name: Name
    provider: Literal["aws_agentcore", "azure_ai_foundry", "mcp_registry"] = Field(
        default="aws_agentcore", description="It cannot be changed later."
    )
    description: Notes | None = None
    tags: list[Name] = Field(default=[], max_length=1000)
    provider_config: dict[str, JsonValue] = Field(
        default={}, description="As in the API: region, assumeRoleArn and the filter resourceTagsFilter."
    )
    external_id: Annotated[str, StringConstraints(pattern=EXTERNAL_ID)] = Field(
        default="", description="The ExternalId in the trust policy of the role. It cannot be changed later."
    )
    enabled: bool = True
    change_policy: Literal["flow", "review"] = "flow"
    schedule: Schedule = Schedule()
    grants: list[Grant] = Field(default=[], description="Who may see and change the federation.")


class RoleEntry(Entry):
    """A role of the hub: the name of its group, and the group's members."""

    KEYS = ("role",)

    role: RoleKey
    group: Annotated[str, _text(150, 1)] = Field(default="", description="The name of the role's group.")
    members: list[Name] = Field(default=[], description="Names of users.")


class GroupEntry(Entry):
    """A group that is not a role's: its members and its permissions. Grants may name it."""

    name: Annotated[str, _text(150, 1)]
    members: list[Name] = Field(default=[], description="Names of users.")
    permissions: list[Name] = Field(default=[], description="What members may do, such as federations.view_federation.")


class AgentEntry(Entry):
    """A discovered agent as peers see it. It need not be discovered yet."""

    KEYS = ("federation", "agent")

    federation: str = Field(default="", max_length=200, description="The federation's name; empty: none.")
    agent: Annotated[str, _text(255, 1)] = Field(description="The agent's id for peers, or its path.")
    visibility: Visibility = "private"
    asks_before_work: bool = Field(default=True, description="The work of peers waits for the approval of staff.")


class RegisteredAgentEntry(Entry):
    """An agent that no sync discovers."""

    KEYS = ("id",)

    id: Annotated[str, _text(255, 1)]
    name: Annotated[str, _text(200)] = ""
    description: Notes = ""
    server_url: Annotated[str, _text(500)] = Field(default="", description="Empty: this hub.")
    skills: list[Annotated[str, _text(1000)]] = Field(default=[], max_length=1000)
    visibility: Visibility = "public"


class PeerEntry(Entry):
    """A hub of another organization, which its URL identifies."""

    KEYS = ("server_url",)

    server_url: Url
    did: str = Field(default="", max_length=500, description="Checked against the URL.")
    name: Annotated[str, _text(200)] = ""
    relationship: Literal["peer", "upstream", "downstream"] = "peer"
    requires_signature: bool = False
    callback_origins: list[Url] = Field(default=[], max_length=20)
    notes: Notes = ""
    review_by: Annotated[str, AfterValidator(_day)] | None = Field(default=None, json_schema_extra={"format": "date"})
    state: PeerStateWord = Field(default="proposed", description="Leave it out to leave the decision to staff.")
    fingerprints: list[Annotated[str, AfterValidator(fingerprint_of)]] = Field(
        default=[],
        max_length=8,
        description="The keys that staff compared. A peer is approved only if it publishes one of them.",
    )
    outbound_key: SecretReference | None = Field(default=None, description="null removes the key.")


_TWO_RECEIVERS: list[JsonValue] = [
    {"required": ["user", "group"]}, {"required": ["user", "url"]}, {"required": ["group", "url"]},
]  # fmt: skip


class NotificationRuleEntry(Entry):
    """A rule that tells a person, a group or a webhook of events."""

    KEYS = ("name", "user")
    model_config = ConfigDict(json_schema_extra={"not": {"anyOf": _TWO_RECEIVERS}})

    name: Annotated[str, _text(100, 1)]
    user: str = Field(default="", max_length=150, description="The user who gets a mail.")
    group: str = Field(default="", max_length=150, description="The group whose members get a mail each.")
    url: str = Field(default="", max_length=2000, description="The URL of a webhook.")
    events: list[EventWord] = Field(default=[], description="What is told. A new rule names one event at least.")
    federations: list[Name] = Field(default=[], max_length=1000, description="Names; empty: of all federations.")
    peers: list[Url] = Field(default=[], max_length=1000, description="URLs of peers; empty: of all peers.")
    minutes_between_digests: Annotated[int, Field(ge=0, le=1440)] = 15
    paused: bool = Field(default=False, description="Nothing is told while true.")
    secret: SecretReference | None = Field(
        default=None, description="What signs the messages of a webhook: whsec_ and base64. null removes it."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len({"user", "group", "url"} & self.model_fields_set) > 1:
            raise ValueError("name a user, a group or a url")
        if not self.url and self.secret is not None:
            raise ValueError("only a webhook has a secret")
        return self


class HubFile(Strict):
    """The configuration of one hub. What does not stand in the file stays as it is."""

    version: Literal[1]
    roles: list[RoleEntry] = []
    groups: list[GroupEntry] = []
    federations: list[FederationEntry] = []
    agents: list[AgentEntry] = []
    registered_agents: list[RegisteredAgentEntry] = []
    peers: list[PeerEntry] = []
    notification_rules: list[NotificationRuleEntry] = []


SECTIONS: dict[str, type[Entry]] = {
    "roles": RoleEntry,
    "groups": GroupEntry,
    "federations": FederationEntry,
    "agents": AgentEntry,
    "registered_agents": RegisteredAgentEntry,
    "peers": PeerEntry,
    "notification_rules": NotificationRuleEntry,
}
"""The sections of the file, in the order in which they are applied: an entry may name a group of the same file."""


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the file (draft 2020-12), for editors and other checks."""
    schema: dict[str, Any] = _without_defaults(HubFile.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "fedhub configuration file", **schema}


def _without_defaults(schema: Any, *, are_properties: bool = False) -> Any:
    """Return a schema without titles, and without defaults: what is absent from the file has no default."""
    if isinstance(schema, list):
        return [_without_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if are_properties or key not in ("title", "default")}
    return {key: _without_defaults(value, are_properties=key == "properties") for key, value in kept.items()}
