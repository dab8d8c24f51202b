"""Add the runs of agents, their events, and the permissions to give and to approve work."""

import core.ids
import core.store.documents
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('federations', '0015_connection_test_slot'),
    ]

    operations = [
        migrations.CreateModel(
            name='AgentQueueTurn',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=16, unique=True)),
                ('open_until', models.DateTimeField(blank=True, null=True)),
                ('turns', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.AlterModelOptions(
            name='a2aagent',
            options={'ordering': ['-updated_at', '-id'], 'permissions': [('run_a2aagent', 'Can give work to an A2A agent')], 'verbose_name': 'A2A agent'},
        ),
        migrations.CreateModel(
            name='AgentRun',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('agent_id', models.CharField(max_length=24)),
                ('agent_name', models.CharField(max_length=200)),
                ('agent_path', models.CharField(max_length=255)),
                ('federation_id', models.CharField(blank=True, max_length=24)),
                ('source', models.CharField(choices=[('peer', 'Peer'), ('staff', 'Staff')], max_length=8)),
                ('source_id', models.CharField(blank=True, max_length=64)),
                ('dispatch_id', models.CharField(blank=True, max_length=64)),
                ('created_by_id', models.CharField(blank=True, max_length=64)),
                ('created_by_name', models.CharField(blank=True, max_length=200)),
                ('request_key', models.CharField(max_length=64, unique=True)),
                ('request_digest', models.CharField(blank=True, max_length=64)),
                ('text', models.TextField()),
                ('data', core.store.documents.DocumentField(blank=True, null=True)),
                ('limits', core.store.documents.DocumentField(default=dict)),
                ('warned_limits', core.store.documents.DocumentField(default=list)),
                ('trace_parent', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('waiting_approval', 'Waiting approval'), ('queued', 'Queued'), ('running', 'Running'), ('input_required', 'Input required'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('expired', 'Expired')], default='queued', max_length=16)),
                ('protocol_version', models.CharField(blank=True, max_length=8)),
                ('context_id', models.CharField(max_length=64)),
                ('task_id', models.CharField(blank=True, max_length=200)),
                ('sends', models.PositiveIntegerField(default=0)),
                ('question', models.TextField(blank=True)),
                ('input_text', models.TextField(blank=True)),
                ('input_number', models.PositiveIntegerField(default=0)),
                ('input_sent', models.PositiveIntegerField(default=0)),
                ('cancel_asked_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_reason', models.TextField(blank=True)),
                ('answer', core.store.documents.DocumentField(blank=True, null=True)),
                ('usage', core.store.documents.DocumentField(default=dict)),
                ('error', models.TextField(blank=True)),
                ('last_sequence', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('working_since', models.DateTimeField(blank=True, null=True)),
                ('worked_seconds', models.FloatField(default=0)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('lease_token', models.CharField(blank=True, max_length=32)),
                ('nudged_at', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                'verbose_name': 'run',
                'ordering': ['-created_at', '-id'],
                'permissions': [('approve_agentrun', 'Can approve or refuse work for an agent')],
                'indexes': [models.Index(fields=['-created_at', '-id'], name='run_newest'), models.Index(fields=['agent_id', '-created_at', '-id'], name='run_agent_newest'), models.Index(fields=['federation_id', '-created_at', '-id'], name='run_federation_newest'), models.Index(fields=['state', '-created_at', '-id'], name='run_state_newest'), models.Index(fields=['source_id', 'state'], name='run_source_state'), models.Index(fields=['dispatch_id'], name='run_dispatch'), models.Index(fields=['due_at'], name='run_due'), models.Index(fields=['lease_token'], name='run_lease')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['waiting_approval', 'queued', 'running', 'input_required', 'completed', 'failed', 'cancelled', 'expired'])), name='run_state_is_known'), models.CheckConstraint(condition=models.Q(('source__in', ['peer', 'staff'])), name='run_source_is_known')],
            },
        ),
        migrations.CreateModel(
            name='AgentRunEvent',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('sequence', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('waiting_approval', 'Waiting approval'), ('approved', 'Approved'), ('sent', 'Sent'), ('working', 'Working'), ('message', 'Message'), ('artifact', 'Artifact'), ('input_required', 'Input required'), ('answered', 'Answered'), ('budget_warning', 'Budget warning'), ('cancelled', 'Cancelled'), ('ended', 'Ended')], max_length=16)),
                ('payload', core.store.documents.DocumentField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='federations.agentrun')),
            ],
            options={
                'verbose_name': 'event of a run',
                'verbose_name_plural': 'events of runs',
                'ordering': ['sequence'],
                'constraints': [models.UniqueConstraint(fields=('run', 'sequence'), name='run_event_once')],
            },
        ),
    ]
