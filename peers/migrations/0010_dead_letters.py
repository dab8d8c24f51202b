"""Let staff put dead letters away, find dead letters by an index, and store when a key was withdrawn."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("peers", "0009_visibility_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="peerkey",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, editable=False, help_text="When the hub saw it first.", null=True),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="put_away_at",
            field=models.DateTimeField(blank=True, help_text="Staff decided that it needs no further work.", null=True),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="put_away_by_name",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="put_away_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="handlerevent",
            name="put_away_at",
            field=models.DateTimeField(blank=True, help_text="Staff decided that it needs no further work.", null=True),
        ),
        migrations.AddField(
            model_name="handlerevent",
            name="put_away_by_name",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="handlerevent",
            name="put_away_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="outboundcallback",
            name="put_away_at",
            field=models.DateTimeField(blank=True, help_text="Staff decided that it needs no further work.", null=True),
        ),
        migrations.AddField(
            model_name="outboundcallback",
            name="put_away_by_name",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="outboundcallback",
            name="put_away_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddIndex(
            model_name="dispatch",
            index=models.Index(
                condition=models.Q(("dead_at__isnull", False)), fields=["dead_at"], name="dispatch_dead"
            ),
        ),
        migrations.AddIndex(
            model_name="handlerevent",
            index=models.Index(
                condition=models.Q(("dead_at__isnull", False)), fields=["dead_at"], name="handler_event_dead"
            ),
        ),
        migrations.AddIndex(
            model_name="outboundcallback",
            index=models.Index(
                condition=models.Q(("dead_at__isnull", False)), fields=["dead_at"], name="callback_dead"
            ),
        ),
    ]
