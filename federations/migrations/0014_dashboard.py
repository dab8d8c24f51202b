"""Store since when a federation fails, and how many resources were stored on each day."""

import core.ids
from django.db import migrations, models

BATCH = 200


def date_failures(apps, schema_editor):
    """Take the end of the last sync as the beginning of a failure, because no earlier one is known for certain."""
    alias = schema_editor.connection.alias
    federations = apps.get_model("federations", "Federation").objects.using(alias)
    jobs = apps.get_model("federations", "SyncJob").objects.using(alias)
    failing = federations.filter(sync_status="failed", last_sync__isnull=False).order_by("id")
    for key, job_id in failing.values_list("id", "last_sync_id").iterator(BATCH):
        times = jobs.filter(id=job_id, held=False).values_list("finished_at", "created_at").first()
        if times:
            federations.filter(id=key).update(failing_since=times[0] or times[1])


class Migration(migrations.Migration):
    dependencies = [
        ("federations", "0013_runtime_tags"),
    ]

    operations = [
        migrations.AddField(
            model_name="federation",
            name="failing_since",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(date_failures, migrations.RunPython.noop),
        migrations.CreateModel(
            name="DailyCount",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False
                    ),
                ),
                ("scope", models.CharField(max_length=24)),
                ("day", models.DateField()),
                ("servers", models.PositiveIntegerField(default=0)),
                ("tools", models.PositiveIntegerField(default=0)),
                ("agents", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("day", "scope"), name="count_once_per_day")],
            },
        ),
    ]
