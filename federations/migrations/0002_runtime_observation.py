"""Rename the model RuntimeSighting, and with it its table, its index, its constraint and its permissions."""

from django.db import migrations, models

OLD, NEW = ("runtimesighting", "runtime sighting"), ("runtimeobservation", "runtime observation")
ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(apps, schema_editor, old, new):
    """Rename the model's content type and its four permissions, which users and groups keep."""
    try:
        ContentType = apps.get_model("contenttypes", "ContentType")
        Permission = apps.get_model("auth", "Permission")
    except LookupError:
        # A database without the tables of these apps holds no permissions.
        return
    alias = schema_editor.connection.alias
    of_app = {"content_type__app_label": "federations"}
    # RenameModel has renamed the content type already, except where it lies in another database than the registry.
    ContentType.objects.using(alias).filter(app_label="federations", model=old[0]).update(model=new[0])
    for action in ACTIONS:
        Permission.objects.using(alias).filter(codename=f"{action}_{old[0]}", **of_app).update(
            codename=f"{action}_{new[0]}", name=f"Can {action} {new[1]}"
        )


def forwards(apps, schema_editor):
    rename_permissions(apps, schema_editor, OLD, NEW)


def backwards(apps, schema_editor):
    rename_permissions(apps, schema_editor, NEW, OLD)


class RunPythonOnAccounts(migrations.RunPython):
    """Runs where the permissions are: the router sends the tables of `federations` and of `auth` apart on MongoDB."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        super().database_forwards("auth", schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        super().database_backwards("auth", schema_editor, from_state, to_state)


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0001_registry"),
    ]

    operations = [
        migrations.RemoveConstraint("RuntimeSighting", "sighting_once_per_runtime"),
        migrations.RemoveIndex("RuntimeSighting", "sighting_newest"),
        migrations.RenameModel("RuntimeSighting", "RuntimeObservation"),
        migrations.AddConstraint(
            "RuntimeObservation",
            models.UniqueConstraint(fields=["scope", "runtime_id"], name="observation_once_per_runtime"),
        ),
        migrations.AddIndex(
            "RuntimeObservation",
            models.Index(fields=["-last_updated_at", "-id"], name="observation_newest"),
        ),
        RunPythonOnAccounts(forwards, backwards),
    ]
