"""Store the address of a peer's search by Agentic Resource Discovery."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0018_attempt_log'),
    ]

    operations = [
        migrations.AddField(
            model_name='peer',
            name='ard_url',
            field=models.CharField(blank=True, editable=False, max_length=500),
        ),
    ]
