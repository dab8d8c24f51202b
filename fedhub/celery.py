"""The Celery application; its settings are those of fedhub.settings that begin with CELERY_."""

from __future__ import annotations

import atexit
import gc
import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
# Kombu's own file transport loses its way when its files are deleted, and stops the worker at a half-written message.
TRANSPORT_ALIASES["filesystem"] = "core.jobs.file_broker:Transport"

# A process that ends looks through all its objects for garbage, which takes it a second or two for nothing.
atexit.register(gc.freeze)

app = Celery("fedhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
