"""Store the agents that peers show, the failed deliveries to each peer by day, and who paused its messages."""

import core.ids
import core.store.documents
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0016_restore_boundary'),
    ]

    operations = [
        migrations.AddField(
            model_name='peer',
            name='agents_error',
            field=models.CharField(blank=True, default='', editable=False, max_length=300),
        ),
        migrations.AddField(
            model_name='peer',
            name='agents_fetched_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='peer',
            name='agents_tried_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='peer',
            name='paused_by_name',
            field=models.CharField(blank=True, default='', editable=False, max_length=200),
        ),
        migrations.CreateModel(
            name='FailedDeliveries',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('day', models.DateField(db_index=True)),
                ('number', models.PositiveIntegerField(default=1)),
                ('last_error', models.TextField(blank=True)),
                ('peer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='failed_deliveries', to='peers.peer')),
            ],
            options={
                'verbose_name_plural': 'failed deliveries',
                'constraints': [models.UniqueConstraint(fields=('peer', 'day'), name='failed_deliveries_once')],
            },
        ),
        migrations.CreateModel(
            name='PeerAgent',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('agent_id', models.CharField(max_length=255)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('description', models.TextField(blank=True)),
                ('skills', core.store.documents.DocumentField(blank=True, default=list)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('peer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='agents', to='peers.peer')),
            ],
            options={
                'ordering': ['agent_id'],
                'constraints': [models.UniqueConstraint(fields=('peer', 'agent_id'), name='peer_agent_once')],
            },
        ),
    ]
