"""Fill the name and the organization of stored agents from their cards, which syncs write from now on."""

from django.db import migrations

BATCH = 200


def fill_names(apps, schema_editor):
    alias = schema_editor.connection.alias
    agents = apps.get_model("federations", "A2aAgent").objects.using(alias)
    for agent in agents.filter(card_name="").order_by("id").iterator(BATCH):
        card = agent.card if isinstance(agent.card, dict) else {}
        provider = card.get("provider")
        names = text(card.get("name")), text(provider.get("organization")) if isinstance(provider, dict) else ""
        if any(names):
            agents.filter(id=agent.id).update(card_name=names[0], organization=names[1])


def text(value):
    return value.strip() if isinstance(value, str) else ""


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0008_plans"),
    ]

    operations = [
        migrations.RunPython(fill_names, migrations.RunPython.noop),
    ]
