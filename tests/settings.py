"""The product's settings, on throw-away files: one set for each test process."""

import atexit
import os
import shutil
import tempfile

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
# A test process inherits the variables of the one that started it, and must not share its files; a process that a test
# starts must.
if os.environ.get("FEDHUB_TESTS_OF") != WORKER:
    os.environ["FEDHUB_TESTS_OF"] = WORKER
    os.environ["FEDHUB_VAR_DIR"] = tempfile.mkdtemp(prefix=f"fedhub-tests-{WORKER}-")
    # What the processes of one run share.
    os.environ.setdefault("FEDHUB_TESTS_SHARED", os.environ["FEDHUB_VAR_DIR"])
    atexit.register(shutil.rmtree, os.environ["FEDHUB_VAR_DIR"], ignore_errors=True)
# A real Weaviate server is for the tests in tests/live alone.
for name in ("WEAVIATE_URL", "WEAVIATE_GRPC_URL", "WEAVIATE_API_KEY", "WEAVIATE_VECTORIZER", "WEAVIATE_COLLECTION"):
    if value := os.environ.pop(name, None):
        os.environ[f"LIVE_{name}"] = value
for name in (
    "DATABASE_URL",
    "MONGODB_URI",
    "CELERY_BROKER_URL",
    "FEDHUB_SERVER_URL",
    "SEARCH_PATH",
    "FEDHUB_EMBEDDING_MODEL",
):
    # Kept: the workers of pytest-xdist read it again.
    value = os.environ.get(f"TEST_{name}")
    os.environ.pop(name, None)
    if value:
        os.environ[name] = value

from fedhub.settings import *  # noqa: E402, F403
from fedhub.settings import DATABASES, VAR_DIR  # noqa: E402

# WhiteNoise warns of a folder that only collectstatic makes.
(VAR_DIR / "static").mkdir(exist_ok=True)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: threads and processes of a test see the same rows, under the same locking.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
