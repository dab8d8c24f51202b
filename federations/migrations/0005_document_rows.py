"""Write the documents in their one form of text, and delete rows that the next unique constraints exclude."""

from django.db import migrations

from core.store.document_rows import store_as_json, store_as_text

BATCH = 500
DOCUMENTS = {
    "McpServer": (
        "runtime_access", "protocol_configuration", "authorizer_configuration", "tools", "resources", "prompts",
        "capabilities",
    ),
    "A2aAgent": ("runtime_access", "protocol_configuration", "authorizer_configuration", "card", "skills"),
}


def documents_to_text(apps, schema_editor):
    store_as_text(apps, schema_editor, "federations", DOCUMENTS)


def documents_to_json(apps, schema_editor):
    store_as_json(apps, schema_editor, "federations", DOCUMENTS)


def delete_doubles(apps, schema_editor):
    """Keep one tag of each name, and of each unfederated runtime the resource that was updated last."""
    alias = schema_editor.connection.alias
    for kind in ("McpServer", "A2aAgent"):
        resources = apps.get_model("federations", kind).objects.using(alias).filter(federation=None)
        newest_first = resources.order_by("-updated_at", "-id").values_list("region", "runtime_id", "id")
        tags = apps.get_model("federations", f"{kind}Tag").objects.using(alias)
        delete_later(tags, tags.order_by("id").values_list("resource_id", "name", "id").iterator(BATCH), None)
        delete_later(resources, newest_first.iterator(BATCH), tags)


def delete_later(rows, keys, tags):
    """Delete each row whose key, all values but the last, came before; `keys` end with the row's id."""
    seen, doubles = set(), []
    for *key, row_id in keys:
        if tuple(key) in seen:
            doubles.append(row_id)
        seen.add(tuple(key))
    for start in range(0, len(doubles), BATCH):
        batch = doubles[start : start + BATCH]
        if tags is not None:
            tags.filter(resource_id__in=batch).delete()
        rows.filter(id__in=batch).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0004_documents"),
    ]

    operations = [
        migrations.RunPython(documents_to_text, documents_to_json),
        migrations.RunPython(delete_doubles, migrations.RunPython.noop),
    ]
