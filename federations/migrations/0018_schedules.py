"""Store the schedule of a federation as its own columns: an interval in seconds, or a crontab with its time zone."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q


def minutes_to_seconds(apps: Any, schema_editor: Any) -> None:
    federations = apps.get_model("federations", "Federation").objects.using(schema_editor.connection.alias)
    federations.filter(sync_interval_seconds__isnull=False).update(sync_interval_seconds=F("sync_interval_seconds") * 60)


def seconds_to_minutes(apps: Any, schema_editor: Any) -> None:
    # The older version has no crontab, and no interval under five minutes.
    federations = apps.get_model("federations", "Federation").objects.using(schema_editor.connection.alias)
    for pk, seconds in federations.filter(sync_interval_seconds__isnull=False).values_list("pk", "sync_interval_seconds"):
        federations.filter(pk=pk).update(sync_interval_seconds=max(5, seconds // 60))


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0017_sync_permission"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="federation", name="federation_interval_is_5_or_more"),
        migrations.RenameField(
            model_name="federation", old_name="sync_interval_minutes", new_name="sync_interval_seconds"
        ),
        migrations.AlterField(
            model_name="federation",
            name="sync_interval_seconds",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="federation",
            name="sync_crontab",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="federation",
            name="sync_time_zone",
            field=models.CharField(default="UTC", max_length=64),
        ),
        migrations.AddField(
            model_name="federation",
            name="is_sync_paused",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name="federation",
            name="next_sync_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(minutes_to_seconds, seconds_to_minutes),
        migrations.AddIndex(
            model_name="federation",
            index=models.Index(fields=["next_sync_at"], name="federation_next_sync"),
        ),
        migrations.AddConstraint(
            model_name="federation",
            constraint=models.CheckConstraint(
                condition=Q(sync_interval_seconds__isnull=True) | Q(sync_interval_seconds__gte=1),
                name="federation_interval_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="federation",
            constraint=models.CheckConstraint(
                condition=Q(sync_interval_seconds__isnull=True) | Q(sync_crontab=""), name="federation_has_one_schedule"
            ),
        ),
    ]
