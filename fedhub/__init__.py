"""The Django project: settings, URLs, the Celery application and the admin site."""

from fedhub.celery import app as celery_app

__all__ = ["celery_app"]
