"""Django as a WSGI application. `fedhub.asgi` serves it; served without that front, slow bodies can stop the hub."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
application = get_wsgi_application()
