"""Count the rows of lists, and find their statuses, from indexes alone."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0020_card_keys"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="a2aagent",
            index=models.Index(fields=["name", "num_skills", "status", "federation", "id"], name="agent_list"),
        ),
        migrations.AddIndex(
            model_name="mcpserver",
            index=models.Index(fields=["server_name", "num_tools", "status", "federation", "id"], name="server_list"),
        ),
        migrations.AddIndex(
            model_name="runtimeobservation",
            index=models.Index(fields=["status", "server", "agent"], name="observation_status"),
        ),
        migrations.AddIndex(
            model_name="runtimeobservation",
            index=models.Index(fields=["protocol"], name="observation_protocol"),
        ),
    ]
