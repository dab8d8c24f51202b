"""Store the number of skills of each agent, by which a list of all skills finds its pages."""

from django.db import migrations, models

BATCH = 200


def count_skills(apps, schema_editor):
    alias = schema_editor.connection.alias
    agents = apps.get_model("federations", "A2aAgent").objects.using(alias)
    for agent in agents.only("id", "skills").order_by("id").iterator(BATCH):
        if isinstance(agent.skills, list) and agent.skills:
            agents.filter(id=agent.id).update(num_skills=len(agent.skills))


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0010_runtime_name"),
    ]

    operations = [
        migrations.AddField(
            model_name="a2aagent",
            name="num_skills",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.RunPython(count_skills, migrations.RunPython.noop),
    ]
