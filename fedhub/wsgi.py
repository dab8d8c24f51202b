"""The WSGI application that granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
application = get_wsgi_application()

# The loaded modules stay in memory, and requests leave few reference cycles. Without these lines a request spends a
# tenth of its time in the garbage collector.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
