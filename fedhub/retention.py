"""The kinds of rows of all apps, in the order in which a prune takes them."""

from __future__ import annotations

from collections.abc import Sequence

from core import accounts_retention
from core.retention.kinds import Kind
from federations.services import retention as federations_retention
from peers.services import retention as peers_retention

KINDS: Sequence[Kind] = (*federations_retention.KINDS, *peers_retention.KINDS, *accounts_retention.KINDS)
