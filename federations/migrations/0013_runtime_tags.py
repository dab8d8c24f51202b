"""Store the cloud tags of each observed runtime as rows, by which a list of runtimes is filtered."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('federations', '0012_phase_times_and_cancels'),
    ]

    operations = [
        migrations.CreateModel(
            name='RuntimeTag',
            fields=[
                ('id', models.CharField(default=core.ids.new_object_id, editable=False, max_length=24, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=400)),
                ('runtime', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tag_rows', to='federations.runtimeobservation')),
            ],
            options={
                'indexes': [models.Index(fields=['name', 'runtime'], name='runtime_tag_name')],
                'constraints': [models.UniqueConstraint(fields=('runtime', 'name'), name='runtime_tag_once')],
            },
        ),
    ]
