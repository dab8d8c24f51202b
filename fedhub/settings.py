"""The settings, read from environment variables; the hub also runs without any of them.

A hub whose FEDHUB_SERVER_URL is a loopback address is in development: DEBUG is on, and the hub makes its keys on first
use under var/. A hub with another address is in production: DEBUG is off, SECRET_KEY is required, and fedhub.checks
names missing settings.
"""

from __future__ import annotations

import os
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from core import environment
from core.key_files import development_secret_key
from core.notifications.email_url import email_settings
from core.private_files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    make_private_folder,
    restrict_files,
    restrict_folder,
    sqlite_files,
)
from core.programs.issuers import read_issuers
from core.store.databases import database, mongodb_database
from fedhub.admin_theme import UNFOLD as UNFOLD
from fedhub.api_description import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from fedhub.logs import logging_settings
from fedhub.oauth_provider import oauth_provider

# Classes of Django accept type arguments at run time too, such as ModelForm[Federation].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(environment.text("FEDHUB_VAR_DIR") or BASE_DIR / "var")
# The folder may exist already: an older hub, an operator or a container made it.
restrict_folder(VAR_DIR)

FEDHUB_SERVER_URL = (environment.text("FEDHUB_SERVER_URL") or "http://127.0.0.1:8000").rstrip("/")
IS_HTTPS = FEDHUB_SERVER_URL.startswith("https://")
DEBUG = environment.boolean("DEBUG", default=urlsplit(FEDHUB_SERVER_URL).hostname in ("127.0.0.1", "localhost", "::1"))
SECRET_KEY = environment.secret("SECRET_KEY") or (development_secret_key(VAR_DIR / "secret_key") if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY or SECRET_KEY_FILE; with DEBUG=true the hub makes a key under var/.")
# Earlier keys, with which sessions and links are still read until they expire; the first key alone signs.
SECRET_KEY_FALLBACKS = environment.listed(environment.secret("SECRET_KEY_FALLBACKS"))
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEBUG else "")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "django_celery_beat",
    "auditlog",
    "core.activity",
    "fedhub.apps.FedhubConfig",
    "peers",
    "core.tokens",
    "core.programs",
    "core.signin",
    "core.people",
    "core.lists",
    "core.figures",
    "core.beat",
    "core.retention",
    "core.notifications",
    "federations",
    # After the apps whose permissions the roles have.
    "core.roles",
]
# The sandbox serves demo, tests and benchmarks; `make install-production` installs none of its packages.
if (BASE_DIR / "sandbox").is_dir() and find_spec("moto"):
    INSTALLED_APPS.append("sandbox")

MIDDLEWARE = [
    "core.api.request_ids.request_ids",
    "core.api.middleware.content_security_policy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.api.middleware.CompressPages",
    "core.api.middleware.refuse_disallowed_hosts",
    "core.api.middleware.json_errors",
    "core.api.middleware.hide_debug_page",
    "core.api.middleware.refuse_forms",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "core.people.middleware.SignedInPerson",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.admin.time_zone.person_time_zone",
    "core.audit.name_the_person",
    "fedhub.sensitive_pages.AskBeforeSensitiveSteps",
    "core.api.middleware.RefuseGuesses",
    "core.admin.lists.BackToTheList",
]

ROOT_URLCONF = "fedhub.urls"
WSGI_APPLICATION = "fedhub.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Without it the templates of inputs come from the apps alone, and none of templates/ replaces one of them.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Each row of the audit log has the id of its request, and names other rows as people do.
AUDITLOG_CID_GETTER = "core.activity.recording.request_id"
AUDITLOG_USE_FK_STRING_REPRESENTATION = True

# Database -----------------------------------------------------------------------------------------------------------
DATABASE_URL = environment.secret("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'fedhub.sqlite3'}"
DATABASES = {"default": database(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    make_private_folder(VAR_DIR)
    restrict_files(sqlite_files(Path(DATABASES["default"]["NAME"])))
# MongoDB holds the registry; users, sessions, tokens, schedules and the audit log stay in the default database.
MONGODB_URI = environment.secret("MONGODB_URI")
if MONGODB_URI:
    try:
        DATABASES["registry"] = mongodb_database(MONGODB_URI)
    except ValueError as exc:
        raise ImproperlyConfigured(f"MONGODB_URI: {exc}") from exc
    DATABASE_ROUTERS = ["core.store.routers.RegistryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Security -----------------------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Limits the guessing of passwords at every door that asks `authenticate`.
AUTHENTICATION_BACKENDS = ["core.signin.backends.LimitedModelBackend"]
DEFAULT_EXCEPTION_REPORTER = "fedhub.debug.HidingReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "fedhub.debug.HidingReporterFilter"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
# Browsers ignore the port of a cookie: two hubs on one machine would log each other's staff out.
_COOKIE_SUFFIX = f"_{urlsplit(FEDHUB_SERVER_URL).port or ''}" if DEBUG else ""
SESSION_COOKIE_NAME = f"sessionid{_COOKIE_SUFFIX}"
CSRF_COOKIE_NAME = f"csrftoken{_COOKIE_SUFFIX}"
CSRF_TRUSTED_ORIGINS = [FEDHUB_SERVER_URL]
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if IS_HTTPS else 0
# The names below the hub's own may be those of other servers: HSTS covers neither them nor the preload lists.
# core.tokens.redirects allows plain http to the person's own machine alone, which the toolkit's check cannot see.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "oauth2_provider.W008"]
# The front takes address and scheme from these proxies alone (fedhub.asgi).
FEDHUB_TRUSTED_PROXIES = environment.networks("FEDHUB_TRUSTED_PROXIES")
# Without a trusted proxy every request looks like plain http, and a redirect would never end. Programs are not
# redirected: OpenIntent's client takes the empty body of a redirect for success.
SECURE_SSL_REDIRECT = IS_HTTPS and bool(FEDHUB_TRUSTED_PROXIES)
SECURE_REDIRECT_EXEMPT = [r"^api/v1/", r"^v0\.1/", r"^o/", r"^\.well-known/", r"^(healthz|readyz|metrics)"]
# Who signs in where, and by how many proofs (core.people).
FEDHUB_PASSWORD_LOGIN = environment.boolean("FEDHUB_PASSWORD_LOGIN", default=True)
FEDHUB_SIGN_IN_PROVIDERS = environment.secret("FEDHUB_SIGN_IN_PROVIDERS")
FEDHUB_SECOND_FACTOR = environment.words("FEDHUB_SECOND_FACTOR")
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# API ----------------------------------------------------------------------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
# How long a request's body may take, and how many requests Django answers at the same time (fedhub.asgi_front).
FEDHUB_BODY_SECONDS = environment.integer("FEDHUB_BODY_SECONDS", default=10, minimum=1, maximum=300)
FEDHUB_WEB_THREADS = environment.integer("FEDHUB_WEB_THREADS", default=32, minimum=1, maximum=1000)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["core.api.authentication.TokenOrSessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["core.api.scopes.HasRequiredScope"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "core.api.browsable.renderer.HubPageRenderer",
    ],
    "EXCEPTION_HANDLER": "core.api.errors.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.HubSchema",
    # Only the Accept header chooses the format: a query parameter `format` would hide an endpoint's own parameter.
    "URL_FORMAT_OVERRIDE": None,
}
OAUTH2_PROVIDER = oauth_provider(FEDHUB_SERVER_URL)
FEDHUB_JWT_ISSUERS = read_issuers(environment.text("FEDHUB_JWT_ISSUERS"), scopes=OAUTH2_PROVIDER["SCOPES"])

# Work in the background ---------------------------------------------------------------------------------------------
BROKER_DIR = VAR_DIR / "broker"
CELERY_BROKER_URL = environment.secret("CELERY_BROKER_URL") or "filesystem://localhost"
# The hub tries a broker that is down once more, then stops: rows are the truth, and a sweep sends the message again.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2}
CELERY_BROKER_CONNECTION_TIMEOUT = 2
if CELERY_BROKER_URL.startswith("filesystem://"):
    CELERY_BROKER_TRANSPORT_OPTIONS |= {
        # Web and worker processes share one folder for both directions.
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "processed_folder": str(BROKER_DIR / "taken"),
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# One queue for each kind of work, so that work which takes long delays no other work: a worker with `-Q` serves some
# of them, a worker without it all. `sync` is for work of seconds to an hour, `agents` for runs of agents, `handlers`
# for calls of lifecycle handlers, `peers` for deliveries, `sweep` for the short periodic tasks that repeat nudges.
FEDHUB_QUEUES = ("sync", "peers", "agents", "handlers", "sweep")
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in FEDHUB_QUEUES]
_QUEUES = {
    # A fetch of a peer's documents takes up to 30 s, one of its agents longer, and no message waits for them.
    # A prune takes up to two minutes.
    "sync": "federations.run_job peers.refresh_peer_keys peers.fetch_agents peers.pin_provisionally "
    "peers.exchange_checkpoints fedhub.prune federations.check_cards federations.fetch_card_keys",
    "peers": "peers.deliver_dispatch peers.deliver_callback peers.nudge_each peers.take_checkpoint "
    "notifications.deliver",
    "agents": "federations.run_agents",
    "handlers": "peers.run_event",
    "sweep": "federations.sweep peers.sweep peers.seal_log peers.refresh_keys peers.ask_for_checkpoints "
    "signin.forget tokens.forget people.forget notifications.tell notifications.sweep notifications.look_after",
}
CELERY_TASK_ROUTES = {name: {"queue": queue} for queue, names in _QUEUES.items() for name in names.split()}
# For a task without a route: it may take long, so it goes where long tasks go.
CELERY_TASK_DEFAULT_QUEUE = "sync"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None
CELERY_TASK_ACKS_LATE = True
# Celery raises an error in a task at the soft limit and kills its process at the hard limit; then the lease of its
# job lapses, and the federation is free again.
CELERY_TASK_SOFT_TIME_LIMIT = environment.integer(
    "FEDHUB_TASK_TIME_LIMIT_SECONDS", default=3600, minimum=10, maximum=86_400
)
CELERY_TASK_TIME_LIMIT = CELERY_TASK_SOFT_TIME_LIMIT + 60
# Processes, not threads: Celery can stop only a process at a time limit, a process returns its memory after a large
# sync, and the heartbeat threads of other jobs get a core. The default is two, because a sync mostly waits for the
# network and SQLite has one writer; FEDHUB_WORKER_PROCESSES sets more.
CELERY_WORKER_POOL = "prefork"
CELERY_WORKER_CONCURRENCY = environment.integer("FEDHUB_WORKER_PROCESSES", default=2, minimum=1, maximum=64)
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # in KiB, checked between tasks
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Celery waits this long for the result of a killed process before it starts another one. The hub keeps no results, so
# Celery's default of 10 s is too long; 2 s are enough on a busy machine to see that a task has ended.
CELERY_WORKER_LOST_WAIT = 2.0
# Celery kills a process that has not answered by then; its 4 s are too short on a busy machine.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 30.0
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
# The hub does not use remote control, and with the file broker each reply would be a file.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
# The shortest time between two scheduled syncs of one federation; a check of a deployment refuses less than 300.
FEDHUB_SHORTEST_SYNC_SECONDS = environment.integer(
    "FEDHUB_SHORTEST_SYNC_SECONDS", default=300, minimum=1, maximum=86_400
)
CELERY_BEAT_SCHEDULER = "fedhub.beat:HubScheduler"
FEDHUB_SWEEP_SECONDS = environment.integer("FEDHUB_SWEEP_SECONDS", default=30, minimum=1, maximum=3600)
# The database scheduler writes these entries to its table when the beat starts.
CELERY_BEAT_SCHEDULE = {
    "Sweep jobs": {
        "task": "federations.sweep",
        "schedule": FEDHUB_SWEEP_SECONDS,
        # After an hour without a worker one sweep is enough, not 120.
        "options": {"expire_seconds": FEDHUB_SWEEP_SECONDS},
    },
    "Sweep the outbox": {
        "task": "peers.sweep",
        "schedule": FEDHUB_SWEEP_SECONDS,
        "options": {"expire_seconds": FEDHUB_SWEEP_SECONDS},
    },
    "Seal the federation log": {
        "task": "peers.seal_log",
        "schedule": FEDHUB_SWEEP_SECONDS,
        "options": {"expire_seconds": FEDHUB_SWEEP_SECONDS},
    },
    "Exchange checkpoints with peers": {
        "task": "peers.ask_for_checkpoints",
        "schedule": 86_400,
        "options": {"expire_seconds": 86_400},
    },
    "Look at the keys of peers": {
        "task": "peers.refresh_keys",
        "schedule": 86_400,
        "options": {"expire_seconds": 86_400},
    },
    "Prune old rows": {"task": "fedhub.prune", "schedule": 86_400, "options": {"expire_seconds": 86_400}},
    "Forget old tokens": {"task": "tokens.forget", "schedule": 86_400, "options": {"expire_seconds": 86_400}},
    "Forget old failed sign-ins": {
        "task": "signin.forget",
        "schedule": 3600,
        "options": {"expire_seconds": 3600},
    },
    "Forget sessions that are over": {
        "task": "people.forget",
        "schedule": 3600,
        "options": {"expire_seconds": 3600},
    },
    "Sweep the notifications": {
        "task": "notifications.sweep",
        "schedule": FEDHUB_SWEEP_SECONDS,
        "options": {"expire_seconds": FEDHUB_SWEEP_SECONDS},
    },
    "Look at the disk": {
        "task": "notifications.look_after",
        "schedule": 3600,
        "options": {"expire_seconds": 3600},
    },
}
CELERY_TIMEZONE = "UTC"

# The hub ------------------------------------------------------------------------------------------------------------
SEARCH_PATH = environment.text("SEARCH_PATH") or str(VAR_DIR / "search.sqlite3")
# The folder of a model with which the index of SEARCH_PATH finds by meaning too; empty: by words alone.
FEDHUB_EMBEDDING_MODEL = environment.text("FEDHUB_EMBEDDING_MODEL")
# With WEAVIATE_URL the Weaviate server holds the search index, and SEARCH_PATH is not used.
WEAVIATE_URL = environment.address("WEAVIATE_URL")
WEAVIATE_GRPC_URL = environment.address("WEAVIATE_GRPC_URL")
WEAVIATE_API_KEY = environment.secret("WEAVIATE_API_KEY")
WEAVIATE_VECTORIZER = environment.text("WEAVIATE_VECTORIZER")
WEAVIATE_COLLECTION = environment.text("WEAVIATE_COLLECTION") or "Fedhub"
# Requests that read the registry over the API have threads of their own: a few, as they compute, unless they wait for
# another server (fedhub.asgi_front).
FEDHUB_READING_THREADS = environment.integer(
    "FEDHUB_READING_THREADS", default=16 if WEAVIATE_URL else 4, minimum=1, maximum=1000
)
FEDHUB_OIDC_KEY_PATH = Path(environment.text("FEDHUB_OIDC_KEY_PATH") or VAR_DIR / "oidc_key.pem")
# Where spans go (core.tracing), with which headers, and of which share of the traces.
FEDHUB_OTEL_ENDPOINT = environment.address("FEDHUB_OTEL_ENDPOINT", may_have_path=True)
FEDHUB_OTEL_HEADERS = environment.secret("FEDHUB_OTEL_HEADERS")
FEDHUB_OTEL_PERCENT = environment.integer("FEDHUB_OTEL_PERCENT", default=100, minimum=1, maximum=100)
if FEDHUB_OTEL_ENDPOINT and not find_spec("opentelemetry.sdk"):
    raise ImproperlyConfigured("FEDHUB_OTEL_ENDPOINT needs the packages of the extra tracing: docs/operations.md.")
FEDHUB_DEFAULT_REGION = environment.text("FEDHUB_DEFAULT_REGION") or os.environ.get("AWS_REGION", "us-east-1")
# How long the hub keeps the rows of work that has ended: longer than an envelope may be old, so that the age of a copy
# refuses it.
FEDHUB_KEEP_DAYS = environment.integer("FEDHUB_KEEP_DAYS", default=90, minimum=8, maximum=3650)
# The free space of a disk, in MB, below which the hub warns; below a tenth of it `/readyz` says 503.
FEDHUB_LOW_DISK_MB = environment.integer("FEDHUB_LOW_DISK_MB", default=1024, minimum=10, maximum=10_000_000)
FEDHUB_ASSUMABLE_ROLES = environment.words("FEDHUB_ASSUMABLE_ROLES", "*")
FEDHUB_PLAN_SECOND_PERSON = environment.boolean("FEDHUB_PLAN_SECOND_PERSON", default=False)
FEDHUB_DISCOVERY_CONCURRENCY = environment.integer("FEDHUB_DISCOVERY_CONCURRENCY", default=16, minimum=1, maximum=256)
FEDHUB_JOB_LEASE_SECONDS = environment.integer("FEDHUB_JOB_LEASE_SECONDS", default=60, minimum=2, maximum=3600)
# How long an agent may work on a run, and how many runs one worker of the queue `agents` drives at the same time.
FEDHUB_AGENT_SECONDS = environment.integer("FEDHUB_AGENT_SECONDS", default=900, minimum=1, maximum=86_400)
FEDHUB_AGENT_RUNS = environment.integer("FEDHUB_AGENT_RUNS", default=50, minimum=1, maximum=1000)
FEDHUB_QUEUE_LEASE_SECONDS = environment.integer("FEDHUB_QUEUE_LEASE_SECONDS", default=3600, minimum=10, maximum=86_400)

# Federation between hubs --------------------------------------------------------------------------------------------
FEDHUB_ENABLED = environment.boolean("FEDHUB_ENABLED", default=True)
FEDHUB_KEY_PATH = Path(environment.text("FEDHUB_KEY_PATH") or VAR_DIR / "hub_key")
restrict_files([*sqlite_files(Path(SEARCH_PATH)), FEDHUB_OIDC_KEY_PATH, FEDHUB_KEY_PATH])
FEDHUB_SECRETS_KEY = environment.secret("FEDHUB_SECRETS_KEY") or (
    development_secret_key(VAR_DIR / "secrets_key") if DEBUG else ""
)
FEDHUB_TRUST_POLICY = environment.choice("FEDHUB_TRUST_POLICY", "allowlist", ("allowlist", "open", "trustless"))
FEDHUB_VISIBILITY_DEFAULT = environment.choice(
    "FEDHUB_VISIBILITY_DEFAULT", "private", ("public", "unlisted", "private")
)
FEDHUB_ALLOWED_NETWORKS = environment.networks("FEDHUB_ALLOWED_NETWORKS")
# Whether callers without a token may read the MCP servers that staff made public, at /v0.1/servers.
FEDHUB_PUBLIC_REGISTRY = environment.boolean("FEDHUB_PUBLIC_REGISTRY", default=False)
FEDHUB_PUBLISH_PEERS = environment.boolean("FEDHUB_PUBLISH_PEERS", default=False)
# The version of Agentic Resource Discovery in which the hub tells everyone of its public agents.
FEDHUB_ARD = environment.choice("FEDHUB_ARD", "off", ("off", "0.91"))
# At least as long as the hub retries a delivery.
FEDHUB_ENVELOPE_MAX_AGE = environment.integer(
    "FEDHUB_ENVELOPE_MAX_AGE", default=86_400, minimum=43_200, maximum=604_800
)
# The number of requests of one peer per minute, and the number of refusals of one address per minute after which it
# gets 429 without a reason; 0 sets no limit. Each web process counts separately.
FEDHUB_PEER_REQUESTS_PER_MINUTE = environment.integer(
    "FEDHUB_PEER_REQUESTS_PER_MINUTE", default=6000, minimum=0, maximum=1_000_000
)
FEDHUB_REFUSALS_PER_MINUTE = environment.integer(
    "FEDHUB_REFUSALS_PER_MINUTE", default=600, minimum=0, maximum=1_000_000
)
# The lines of the journal for refused messages and copies of one source and reason in a minute, in each web process.
FEDHUB_REFUSAL_LINES = environment.integer("FEDHUB_REFUSAL_LINES", default=10, minimum=0, maximum=1000)
FEDHUB_STRANGER_REQUESTS_PER_MINUTE = environment.integer(
    "FEDHUB_STRANGER_REQUESTS_PER_MINUTE", default=120, minimum=0, maximum=1_000_000
)
FEDHUB_REGISTRY_REQUESTS_PER_MINUTE = environment.integer(
    "FEDHUB_REGISTRY_REQUESTS_PER_MINUTE", default=600, minimum=0, maximum=1_000_000
)
FEDHUB_HANDLERS = environment.words("FEDHUB_HANDLERS", "peers.handlers.A2aAgents")
# This hub's side of every policy, as JSON: {"budget": {"max_llm_tokens": 100000}}.
FEDHUB_POLICY = environment.json_sections("FEDHUB_POLICY", ("governance", "budget", "observability"))
# The longest time of one call of a lifecycle handler; after this time a call whose process died is repeated.
FEDHUB_HANDLER_SECONDS = environment.integer("FEDHUB_HANDLER_SECONDS", default=300, minimum=1, maximum=3600)
# The first pause after a failed delivery; each further pause is twice as long, up to an hour.
FEDHUB_RETRY_SECONDS = environment.integer("FEDHUB_RETRY_SECONDS", default=5, minimum=1, maximum=3600)

# Mail ---------------------------------------------------------------------------------------------------------------
# Without a mail server the rules for people send nothing.
try:
    _MAIL = email_settings(environment.secret("FEDHUB_EMAIL_URL"))
except ValueError as exc:
    raise ImproperlyConfigured(f"FEDHUB_EMAIL_URL: {exc}.") from exc
globals().update(_MAIL)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = environment.text("FEDHUB_EMAIL_FROM")

# Language, static files, logs ---------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "fedhub.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The web processes serve the static files, so that their modes can be those of all other files. collectstatic would use
# 0644.
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = PRIVATE_FILE, PRIVATE_FOLDER
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "fedhub.static_files.PrivateCompressedStorage"},
}
LOGGING = logging_settings()
# Empty: /metrics answers 404.
FEDHUB_METRICS_TOKEN = environment.secret("FEDHUB_METRICS_TOKEN")
# The commands read the variable themselves; here it becomes known as a secret, which error pages and logs hide.
FEDHUB_BACKUP_PASSPHRASE = environment.secret("FEDHUB_BACKUP_PASSPHRASE")
