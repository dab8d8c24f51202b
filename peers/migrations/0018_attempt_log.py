"""Let a dispatch keep a log of its attempts."""

from django.db import migrations

import core.store.documents


class Migration(migrations.Migration):
    dependencies = [
        ("peers", "0017_seen_peers"),
    ]

    operations = [
        migrations.AddField(
            model_name="dispatch",
            name="attempt_log",
            field=core.store.documents.DocumentField(default=list, editable=False),
        ),
    ]
