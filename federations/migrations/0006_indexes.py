"""Add the missing unique constraints and indexes, and drop the indexes that another one covers."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('federations', '0005_document_rows'),
    ]

    operations = [
        migrations.AlterField(
            model_name='a2aagent',
            name='federation',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, to='federations.federation'),
        ),
        migrations.AlterField(
            model_name='a2aagenttag',
            name='resource',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tag_rows', to='federations.a2aagent'),
        ),
        migrations.AlterField(
            model_name='federationgrant',
            name='federation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='federations.federation'),
        ),
        migrations.AlterField(
            model_name='federationtag',
            name='federation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tag_rows', to='federations.federation'),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='federation',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, to='federations.federation'),
        ),
        migrations.AlterField(
            model_name='mcpservertag',
            name='resource',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tag_rows', to='federations.mcpserver'),
        ),
        migrations.AlterField(
            model_name='previewslot',
            name='federation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='preview_slots', to='federations.federation'),
        ),
        migrations.AlterField(
            model_name='syncjob',
            name='federation_id',
            field=models.CharField(blank=True, max_length=24),
        ),
        migrations.AddIndex(
            model_name='a2aagent',
            index=models.Index(condition=models.Q(('access_mode', 'jwt')), fields=['account_id'], name='agent_jwt'),
        ),
        migrations.AddIndex(
            model_name='mcpserver',
            index=models.Index(condition=models.Q(('access_mode', 'jwt')), fields=['account_id'], name='server_jwt'),
        ),
        migrations.AddConstraint(
            model_name='a2aagent',
            constraint=models.UniqueConstraint(condition=models.Q(('federation__isnull', True)), fields=('region', 'runtime_id'), name='agent_unfederated_runtime_once'),
        ),
        migrations.AddConstraint(
            model_name='a2aagenttag',
            constraint=models.UniqueConstraint(fields=('resource', 'name'), name='agent_tag_once'),
        ),
        migrations.AddConstraint(
            model_name='mcpserver',
            constraint=models.UniqueConstraint(condition=models.Q(('federation__isnull', True)), fields=('region', 'runtime_id'), name='server_unfederated_runtime_once'),
        ),
        migrations.AddConstraint(
            model_name='mcpservertag',
            constraint=models.UniqueConstraint(fields=('resource', 'name'), name='server_tag_once'),
        ),
    ]
