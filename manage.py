#!/usr/bin/env python
"""Run a management command."""

import os
import sys

from django.core.management import execute_from_command_line

from core.acting import acting_as
from core.actors import Actor

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
    with acting_as(Actor("", f"manage.py {sys.argv[1]}" if len(sys.argv) > 1 else "manage.py")):
        execute_from_command_line(sys.argv)
