"""Write the documents in their one form of text, and number the callbacks of each received dispatch."""

from collections import defaultdict

from django.db import migrations

from core.store.document_rows import store_as_json, store_as_text

BATCH = 500
DOCUMENTS = {
    "Dispatch": ("scope", "state", "attestation"),
    "HandlerEvent": ("payload",),
    "InboundCallback": ("body",),
    "Intent": ("state", "constraints"),
    "ReceivedDispatch": ("envelope", "scope", "policy"),
    "RegisteredAgent": ("capabilities",),
}
ENDS = ("completed", "failed")


def documents_to_text(apps, schema_editor):
    store_as_text(apps, schema_editor, "peers", DOCUMENTS)


def documents_to_json(apps, schema_editor):
    store_as_json(apps, schema_editor, "peers", DOCUMENTS)


def number_callbacks(apps, schema_editor):
    """Number the callbacks by their times; of callbacks with equal times, one that ends the work is the last."""
    callbacks = apps.get_model("peers", "OutboundCallback").objects.using(schema_editor.connection.alias)
    rows = callbacks.order_by("received_id").values_list("received_id", "created_at", "event_type", "id", "sequence")
    group, received, new = [], None, defaultdict(list)
    for row in rows.iterator(BATCH):
        if row[0] != received:
            number(group, new)
            group, received = [], row[0]
        group.append(row)
    number(group, new)
    for sequence, ids in new.items():
        for start in range(0, len(ids), BATCH):
            callbacks.filter(id__in=ids[start : start + BATCH]).update(sequence=sequence)


def number(group, new):
    """Add the ids of one received dispatch's callbacks to `new`, by number, where the number is new."""
    in_order = sorted(group, key=lambda row: (row[1], row[2] in ENDS, row[3]))
    for sequence, (_, _, _, row_id, stored) in enumerate(in_order, 1):
        if stored != sequence:
            new[sequence].append(row_id)


class Migration(migrations.Migration):

    dependencies = [
        ("peers", "0005_documents"),
    ]

    operations = [
        migrations.RunPython(documents_to_text, documents_to_json),
        migrations.RunPython(number_callbacks, migrations.RunPython.noop),
    ]
