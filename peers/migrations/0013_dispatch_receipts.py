"""Store the receipts of ended dispatches."""

import core.ids
import core.store.documents
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0012_federation_log'),
    ]

    operations = [
        migrations.CreateModel(
            name='DispatchReceipt',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('is_sent', models.BooleanField()),
                ('dispatch_id', models.CharField(max_length=200)),
                ('outcome', models.CharField(max_length=16)),
                ('standing', models.CharField(choices=[('one', 'One signature'), ('both', 'Both signatures'), ('differs', 'The books differ')], default='one', max_length=8)),
                ('differs', models.CharField(blank=True, max_length=200)),
                ('receipt', core.store.documents.DocumentField()),
                ('countersignature', core.store.documents.DocumentField(null=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('peer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='peers.peer')),
            ],
            options={
                'verbose_name': 'receipt',
                'ordering': ['-made_at', '-id'],
                'indexes': [models.Index(fields=['-made_at', '-id'], name='receipt_newest')],
                'constraints': [models.UniqueConstraint(fields=('peer', 'is_sent', 'dispatch_id'), name='receipt_once')],
            },
        ),
    ]
