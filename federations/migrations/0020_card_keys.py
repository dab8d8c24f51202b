"""Store the keys that staff pinned for agent cards, and what the hub found about the signatures of each card."""

import core.ids
import core.store.documents
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('federations', '0019_registries'),
    ]

    operations = [
        migrations.AddField(
            model_name='a2aagent',
            name='signature_checked_at',
            field=models.DateTimeField(blank=True, db_index=True, null=True),
        ),
        migrations.AddField(
            model_name='a2aagent',
            name='signature_key_name',
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name='a2aagent',
            name='signature_kid',
            field=models.CharField(blank=True, max_length=256),
        ),
        migrations.AddField(
            model_name='a2aagent',
            name='signature_reason',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='a2aagent',
            name='signature_state',
            field=models.CharField(blank=True, choices=[('verified', 'verified'), ('unsigned', 'unsigned'), ('unknown_key', 'unknown key'), ('bad', 'bad')], db_index=True, max_length=16),
        ),
        migrations.CreateModel(
            name='CardKeyPin',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('name', models.CharField(help_text='What people see beside a verified card, such as the provider.', max_length=100)),
                ('organization', models.CharField(blank=True, help_text='Only cards whose provider has exactly this name. Empty: of every provider.', max_length=200)),
                ('kid', models.CharField(blank=True, max_length=256, verbose_name='key id')),
                ('jwks', core.store.documents.DocumentField(blank=True, default=list)),
                ('jwks_url', models.CharField(blank=True, max_length=500, verbose_name='JWK Set URL')),
                ('note', models.TextField(blank=True, help_text='Where the key came from, and who compared it.', max_length=10000)),
                ('fetched_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('tried_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('fetch_error', models.TextField(blank=True, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('created_by_name', models.CharField(blank=True, editable=False, max_length=200)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('retired_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('retired_by_name', models.CharField(blank=True, editable=False, max_length=200)),
                ('retired_reason', models.TextField(blank=True, editable=False)),
                ('federation', models.ForeignKey(blank=True, help_text="Only cards of this federation's agents. Empty: of every federation.", null=True, on_delete=django.db.models.deletion.CASCADE, related_name='card_keys', to='federations.federation')),
            ],
            options={
                'verbose_name': 'card key',
                'ordering': ['name', 'id'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('kid', ''), _negated=True), models.Q(('jwks_url', ''), _negated=True), _connector='OR'), name='card_key_has_a_key_or_an_address')],
            },
        ),
    ]
