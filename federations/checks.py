"""The system check of the embedding model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from federations.search.model_folder import problem_of
from federations.search.registry import uses_model


@register()
def check_embedding_model(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of a model that is not there, or that no search uses. The model is not loaded: `/readyz` tells that."""
    if not settings.FEDHUB_EMBEDDING_MODEL:
        return []
    if not uses_model():
        return [
            Warning(
                "FEDHUB_EMBEDDING_MODEL is set, but the search index is not a SQLite file: no search uses the model.",
                hint="Remove FEDHUB_EMBEDDING_MODEL; WEAVIATE_VECTORIZER is the setting for Weaviate.",
                id="federations.W001",
            )
        ]
    problem = problem_of(Path(settings.FEDHUB_EMBEDDING_MODEL))
    if not problem:
        return []
    return [
        Warning(
            f"FEDHUB_EMBEDDING_MODEL: {problem}. Searches find by words alone.",
            hint="docs/search.md says what the folder holds, and how to install the packages.",
            id="federations.W002",
        )
    ]
