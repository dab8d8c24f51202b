"""Store what staff acknowledged of a peer's log, and which countersignatures are owed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0013_dispatch_receipts'),
    ]

    operations = [
        migrations.AddField(
            model_name='dispatchreceipt',
            name='is_owed',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='peercheckpoint',
            name='acknowledged_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='peercheckpoint',
            name='acknowledged_by_name',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='peercheckpoint',
            name='acknowledged_reason',
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name='journalentry',
            name='kind',
            field=models.CharField(choices=[('peer', 'Peer'), ('dispatch', 'Dispatch'), ('receive', 'Receive'), ('callback', 'Callback'), ('handler', 'Handler'), ('key', 'Key'), ('copy', 'Copy'), ('refused', 'Refused'), ('log', 'Log')], max_length=16),
        ),
        migrations.AlterField(
            model_name='peercheckpoint',
            name='standing',
            field=models.CharField(choices=[('newest', 'Newest'), ('kept', 'Kept'), ('fork', 'Fork'), ('proved', 'Proved')], max_length=8),
        ),
        migrations.AddIndex(
            model_name='dispatchreceipt',
            index=models.Index(condition=models.Q(('is_owed', True)), fields=['peer'], name='receipt_owed'),
        ),
    ]
