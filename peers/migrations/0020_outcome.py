"""Store how received work ended, which the protocol's two words do not tell."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("peers", "0019_peer_ard_url"),
    ]

    operations = [
        migrations.AddField(
            model_name="receiveddispatch",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("completed", "Completed"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                    ("refused", "Refused"),
                ],
                default="",
                editable=False,
                max_length=16,
            ),
        ),
    ]
