"""Fill a development hub with volume."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sandbox.volume.seed import find_stored_row, seed_volume
from sandbox.volume.sizes import VolumeSizes


class Command(BaseCommand):
    """Stores 63 federations with 6,000 resources, 2,000 jobs, 200 peers and 5,000 dispatches; options change this."""

    help = (
        "Fill an empty development hub with invented rows of every kind, to look at the pages with volume. "
        "Run no worker on it: it would sync accounts and call peers that do not exist."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare an option for each size, and the seed."""
        for size in fields(VolumeSizes):
            name = "--" + size.name.replace("_", "-")
            parser.add_argument(name, type=int, default=size.default, metavar="N", help=f"default {size.default:,}")
        parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same names, states and times")

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse a hub in production and a hub with rows; else store the rows."""
        if not settings.DEBUG:
            raise CommandError("seed_volume is for development: DEBUG is off, so this may be a hub in production.")
        if (row := find_stored_row()) is not None:
            raise CommandError(
                f"The database is not empty: it has a {row._meta.verbose_name}. seed_volume fills an empty hub, "
                "for example: export FEDHUB_VAR_DIR=/tmp/volume; manage.py migrate; manage.py seed_volume"
            )
        sizes = VolumeSizes(**{size.name: options[size.name] for size in fields(VolumeSizes)})
        if sizes.federations < 1 or sizes.peers < 4 or sizes.days < 5:
            raise CommandError("A hub with volume has at least 1 federation, 4 peers and 5 days.")
        report = self.stdout.write if options["verbosity"] else lambda line: None
        began = time.monotonic()
        seed_volume(sizes, seed=options["seed"], now=timezone.now(), report=report)
        report(f"Stored in {time.monotonic() - began:.0f} s. Make a user: manage.py createsuperuser")
