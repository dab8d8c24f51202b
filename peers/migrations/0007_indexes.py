"""Add the missing unique constraints and indexes, and drop the indexes that another one covers."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0006_document_rows'),
    ]

    operations = [
        migrations.AlterField(
            model_name='inboundcallback',
            name='dispatch',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='callbacks', to='peers.dispatch'),
        ),
        migrations.AlterField(
            model_name='outboundcallback',
            name='received',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='callbacks', to='peers.receiveddispatch'),
        ),
        migrations.AlterField(
            model_name='peerkey',
            name='peer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='peers.peer'),
        ),
        migrations.AlterField(
            model_name='receiveddispatch',
            name='peer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='received', to='peers.peer'),
        ),
        migrations.AlterField(
            model_name='seennonce',
            name='peer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='peers.peer'),
        ),
        migrations.AddIndex(
            model_name='dispatch',
            index=models.Index(condition=models.Q(('dead_at__isnull', True), ('due_at__isnull', True), ('status', 'pending')), fields=['target_server'], name='dispatch_held'),
        ),
        migrations.AddIndex(
            model_name='outboundcallback',
            index=models.Index(condition=models.Q(('dead_at__isnull', True), ('delivered_at__isnull', True), ('due_at__isnull', True)), fields=['peer'], name='callback_held'),
        ),
        migrations.AddConstraint(
            model_name='outboundcallback',
            constraint=models.UniqueConstraint(fields=('received', 'sequence'), name='outbound_callback_order'),
        ),
    ]
