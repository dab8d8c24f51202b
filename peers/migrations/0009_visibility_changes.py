"""Record each change of visibility, so that it can be taken back, and names of registered agents for staff."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0008_nudged_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='agentvisibilitychoice',
            name='change_id',
            field=models.CharField(blank=True, db_index=True, max_length=24),
        ),
        migrations.AddField(
            model_name='agentvisibilitychoice',
            name='previous',
            field=models.CharField(blank=True, choices=[('public', 'Public'), ('unlisted', 'Unlisted'), ('private', 'Private')], max_length=16),
        ),
        migrations.AddField(
            model_name='registeredagent',
            name='description',
            field=models.TextField(blank=True, max_length=10000),
        ),
        migrations.AddField(
            model_name='registeredagent',
            name='name',
            field=models.CharField(blank=True, max_length=200),
        ),
    ]
