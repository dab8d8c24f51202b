"""The code of each section, by the section's name, in the order in which changes are applied."""

from __future__ import annotations

from fedhub.config_file import agents, federations, groups, notification_rules, peers
from fedhub.config_file.kinds import Kind

KINDS: dict[str, Kind] = {
    "roles": groups.ROLE_KIND,
    "groups": groups.GROUP_KIND,
    "federations": federations.KIND,
    "agents": agents.KIND,
    "registered_agents": agents.REGISTERED_KIND,
    "peers": peers.KIND,
    "notification_rules": notification_rules.KIND,
}
