"""The WSGI application that granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
application = get_wsgi_application()

# What is loaded by now stays for good, and requests leave few cycles: a tenth of their time went into looking for some.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
