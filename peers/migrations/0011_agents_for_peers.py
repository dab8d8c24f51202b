"""Store who takes a received dispatch, and whether an agent's work for peers waits for approval."""

import core.ids
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0010_dead_letters'),
    ]

    operations = [
        migrations.CreateModel(
            name='AgentWorkSetting',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('federation_id', models.CharField(blank=True, max_length=24)),
                ('path', models.CharField(max_length=255)),
                ('asks_before_work', models.BooleanField(default=True)),
                ('changed_by_name', models.CharField(blank=True, max_length=200)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name='receiveddispatch',
            name='delta_bytes',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='receiveddispatch',
            name='taken_by',
            field=models.CharField(blank=True, choices=[('agent', 'Agent'), ('handler', 'Handler'), ('staff', 'Staff')], max_length=8),
        ),
        migrations.AddIndex(
            model_name='receiveddispatch',
            index=models.Index(condition=models.Q(('is_finished', False)), fields=['taken_by', 'peer'], name='received_open'),
        ),
        migrations.AddConstraint(
            model_name='agentworksetting',
            constraint=models.UniqueConstraint(fields=('federation_id', 'path'), name='agent_work_setting_once'),
        ),
    ]
