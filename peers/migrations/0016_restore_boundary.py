"""Store until when a restored hub puts off older envelopes of a peer, and let the journal say that it was restored."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("peers", "0015_retention"),
    ]

    operations = [
        migrations.AddField(
            model_name="peer",
            name="restore_boundary",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="journalentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("peer", "Peer"),
                    ("dispatch", "Dispatch"),
                    ("receive", "Receive"),
                    ("callback", "Callback"),
                    ("handler", "Handler"),
                    ("key", "Key"),
                    ("copy", "Copy"),
                    ("refused", "Refused"),
                    ("log", "Log"),
                    ("prune", "Prune"),
                    ("restored", "Restored"),
                ],
                max_length=16,
            ),
        ),
    ]
