"""Make the table of the beat's lease, and delete the periodic tasks that older versions kept for federations.

The row of a federation holds its schedule since federations.0018.
"""

from typing import Any

from django.db import migrations, models


def delete_tasks_of_federations(apps: Any, schema_editor: Any) -> None:
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(schema_editor.connection.alias)
    tasks.filter(task="federations.sync_on_schedule").delete()


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.CreateModel(
            name="BeatLease",
            fields=[
                ("name", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("holder", models.CharField(blank=True, max_length=200)),
                ("held_until", models.DateTimeField()),
                ("taken_at", models.DateTimeField(null=True)),
                ("acted_at", models.DateTimeField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
        # After a return to an older version its sweep writes the tasks again.
        migrations.RunPython(delete_tasks_of_federations, migrations.RunPython.noop),
    ]
