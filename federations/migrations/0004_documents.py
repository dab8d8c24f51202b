"""Keep documents as text: JSON columns of a database change some numbers."""

import core.store.documents
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('federations', '0003_observed_status'),
    ]

    operations = [
        migrations.AlterField(
            model_name='a2aagent',
            name='authorizer_configuration',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='a2aagent',
            name='card',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='a2aagent',
            name='protocol_configuration',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='a2aagent',
            name='runtime_access',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='a2aagent',
            name='skills',
            field=core.store.documents.DocumentField(default=list),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='authorizer_configuration',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='capabilities',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='prompts',
            field=core.store.documents.DocumentField(default=list),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='protocol_configuration',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='resources',
            field=core.store.documents.DocumentField(default=list),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='runtime_access',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='mcpserver',
            name='tools',
            field=core.store.documents.DocumentField(default=list),
        ),
    ]
