"""Fill in how the work of before ended, from the intents; a reason that begins with "Refused: " is a refusal."""

from django.db import migrations

BATCH = 500


def fill(apps, schema_editor):
    rows = apps.get_model("peers", "ReceivedDispatch").objects.using(schema_editor.connection.alias)
    intents = apps.get_model("peers", "Intent").objects.using(schema_editor.connection.alias)
    ended = rows.filter(accepted=True, is_finished=True, outcome="").exclude(intent_id=None)
    keys = list(ended.order_by("pk").values_list("pk", "intent_id"))
    for start in range(0, len(keys), BATCH):
        batch = dict(keys[start : start + BATCH])
        found = {row.pk: outcome(row) for row in intents.filter(pk__in=list(batch.values())).only("status", "state")}
        for word in ("completed", "failed", "refused"):
            rows.filter(pk__in=[pk for pk, intent in batch.items() if found.get(intent) == word]).update(outcome=word)


def outcome(intent):
    reason = intent.state.get("reason") if isinstance(intent.state, dict) else None
    if intent.status == "failed" and isinstance(reason, str) and reason.startswith("Refused: "):
        return "refused"
    return intent.status


class Migration(migrations.Migration):
    dependencies = [
        ("peers", "0020_outcome"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
