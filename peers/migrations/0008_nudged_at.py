"""Add `nudged_at`, the time of the sweep's last nudge, to each row that waits for a worker."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0007_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='dispatch',
            name='nudged_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='handlerevent',
            name='nudged_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='outboundcallback',
            name='nudged_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
