"""Give journal lines their place in the federation log, and store its batches and the peers' checkpoints."""

import core.ids
import core.store.documents
import django.db.models.deletion
import django.utils.timezone
import peers.models.federation_log
import peers.models.journal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0011_agents_for_peers'),
    ]

    operations = [
        migrations.CreateModel(
            name='FederationLog',
            fields=[
                ('id', models.CharField(default='log', editable=False, max_length=24, primary_key=True, serialize=False)),
                ('log_id', models.CharField(default=peers.models.federation_log.new_log_id, editable=False, max_length=32)),
                ('position', models.BigIntegerField(default=0)),
                ('hash', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', max_length=64)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_token', models.CharField(blank=True, max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name='LogBatch',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('log_id', models.CharField(max_length=32)),
                ('did', models.CharField(max_length=500)),
                ('number', models.BigIntegerField(unique=True)),
                ('first_position', models.BigIntegerField()),
                ('last_position', models.BigIntegerField(unique=True)),
                ('last_hash', models.CharField(max_length=64)),
                ('at', models.CharField(max_length=24)),
                ('key', models.CharField(max_length=64)),
                ('previous', models.CharField(max_length=64)),
                ('signature', models.CharField(max_length=88)),
            ],
            options={
                'verbose_name_plural': 'log batches',
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='PeerCheckpoint',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('is_ours', models.BooleanField(default=False)),
                ('log_id', models.CharField(max_length=32)),
                ('position', models.BigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('standing', models.CharField(choices=[('newest', 'Newest'), ('kept', 'Kept'), ('fork', 'Fork')], max_length=8)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('document', core.store.documents.DocumentField()),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-position', '-id'],
            },
        ),
        migrations.AddField(
            model_name='journalentry',
            name='digest',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='journalentry',
            name='hash',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='journalentry',
            name='position',
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='journalentry',
            name='at',
            field=models.DateTimeField(default=peers.models.journal.now_in_milliseconds),
        ),
        migrations.AddIndex(
            model_name='journalentry',
            index=models.Index(fields=['position', 'at', 'id'], name='journal_in_log'),
        ),
        migrations.AddConstraint(
            model_name='journalentry',
            constraint=models.UniqueConstraint(condition=models.Q(('position__gt', 0)), fields=('position',), name='journal_position_once'),
        ),
        migrations.AddField(
            model_name='peercheckpoint',
            name='peer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='checkpoints', to='peers.peer'),
        ),
        migrations.AddConstraint(
            model_name='peercheckpoint',
            constraint=models.UniqueConstraint(fields=('peer', 'is_ours', 'digest'), name='peer_checkpoint_once'),
        ),
    ]
