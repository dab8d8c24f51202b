"""Keep documents as text: JSON columns of a database change some numbers. Number the callbacks."""

import core.store.documents
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0004_pauses_and_looks'),
    ]

    operations = [
        migrations.AlterField(
            model_name='dispatch',
            name='attestation',
            field=core.store.documents.DocumentField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='dispatch',
            name='scope',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='dispatch',
            name='state',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='handlerevent',
            name='payload',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='inboundcallback',
            name='body',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='intent',
            name='constraints',
            field=core.store.documents.DocumentField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name='intent',
            name='state',
            field=core.store.documents.DocumentField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name='receiveddispatch',
            name='envelope',
            field=core.store.documents.DocumentField(),
        ),
        migrations.AlterField(
            model_name='receiveddispatch',
            name='policy',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='receiveddispatch',
            name='scope',
            field=core.store.documents.DocumentField(default=dict),
        ),
        migrations.AlterField(
            model_name='registeredagent',
            name='capabilities',
            field=core.store.documents.DocumentField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='outboundcallback',
            name='sequence',
            field=models.PositiveIntegerField(default=1),
        ),
    ]
