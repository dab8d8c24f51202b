"""The table that tells why the hub took or refused a message: each check with its outcome and its value."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin.labels import label
from federations.admin.visible_text import visible
from peers.services.inbox.explain.checks import Check, Outcome

OUTCOME_COLORS = {
    Outcome.PASSED.value: "success",
    Outcome.REFUSED.value: "danger",
    Outcome.NOT_REACHED.value: "default",
    Outcome.NOT_STORED.value: "warning",
}


def trace_table(checks: Sequence[Check]) -> SafeString | str:
    """Return the checks as a list of names with outcomes and values; "" without a check."""
    if not checks:
        return ""
    rows = ((check.name, label(check.outcome.value, OUTCOME_COLORS), visible(check.value)) for check in checks)
    return format_html(
        '<dl class="fedhub-trace">{}</dl>',
        format_html_join("", "<div><dt>{}</dt><dd>{} <span>{}</span></dd></div>", rows),
    )
