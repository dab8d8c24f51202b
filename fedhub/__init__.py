"""The Django project: settings, URLs, the Celery application and the admin site."""

from core.private_files import restrict_umask

# Every process of the hub imports this package before it writes a file: commands, web, worker and beat.
restrict_umask()

from fedhub.celery import app as celery_app  # noqa: E402 - after the umask

VERSION = "0.1.0"
"""The version in pyproject.toml, which is not part of every installation."""

__all__ = ["VERSION", "celery_app"]
