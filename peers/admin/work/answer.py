"""The answer to a piece of work, as its state has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from federations.admin.run_parts import Room, artifact_block, artifact_name, data_block, text_block
from federations.admin.visible_text import visible
from peers.admin.json_fields import json_as_fields

ANSWER, ARTIFACTS = "answer", "artifacts"
ANSWER_CHARACTERS, ANSWER_NODES = 40_000, 800
MAX_ARTIFACTS = 20
NO_ANSWER = "The work is completed without a member “answer” in its state. The whole state:"


def answer_of(state: Mapping[str, Any]) -> SafeString:
    """Return the answer in the state of completed work, with its artifacts; a state without one is shown whole."""
    room = Room(ANSWER_CHARACTERS, ANSWER_NODES)
    answer, artifacts = state.get(ANSWER), state.get(ARTIFACTS)
    listed = list(artifacts.values()) if isinstance(artifacts, dict) else []
    shown = [artifact for artifact in listed if isinstance(artifact, dict)]
    if answer in (None, "", {}, []) and not shown:
        return format_html("{}{}", format_html('<p class="text-subtle mb-2">{}</p>', NO_ANSWER), json_as_fields(state))
    text = text_block(answer, room) if isinstance(answer, str) else data_block(answer, room) if answer else ""
    folds = format_html_join(
        "",
        '<details class="fedhub-fold mt-3" open><summary class="cursor-pointer text-link">{}</summary>'
        '<div class="mt-2">{}</div></details>',
        (
            (visible(artifact_name(each)[:200] or "Artifact"), artifact_block(each, room))
            for each in shown[:MAX_ARTIFACTS]
        ),
    )
    return format_html("{}{}", text, folds)
