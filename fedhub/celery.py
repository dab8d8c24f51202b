"""The Celery application; its settings are the settings of fedhub.settings that begin with CELERY_."""

from __future__ import annotations

import atexit
import gc
import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
# Kombu's own file transport fails when its files are deleted, and a half-written message stops its worker.
TRANSPORT_ALIASES["filesystem"] = "core.jobs.file_broker:Transport"

# Without this a process that ends searches all its objects for garbage, which takes one or two seconds.
atexit.register(gc.freeze)

app = Celery("fedhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
