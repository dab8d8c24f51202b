"""Show servers to other registries and read servers from them: visibility, deleted servers, and the token."""

from django.db import migrations, models
from django.utils import timezone

from core.ids import new_object_id


class Migration(migrations.Migration):

    dependencies = [
        ("federations", "0018_schedules"),
    ]

    operations = [
        migrations.AlterField(
            model_name="federation",
            name="provider_type",
            field=models.CharField(
                choices=[
                    ("aws_agentcore", "AWS Bedrock AgentCore"),
                    ("azure_ai_foundry", "Azure AI Foundry"),
                    ("mcp_registry", "MCP registry"),
                ],
                default="aws_agentcore",
                max_length=32,
            ),
        ),
        migrations.AddField(
            model_name="federation",
            name="provider_secret",
            field=models.TextField(blank=True, default="", editable=False),
            preserve_default=False,
        ),
        migrations.AlterModelOptions(
            name="mcpserver",
            options={
                "ordering": ["-updated_at", "-id"],
                "permissions": [("publish_mcpserver", "Can make an MCP server public, and hide it again")],
                "verbose_name": "MCP server",
            },
        ),
        migrations.AddField(
            model_name="mcpserver",
            name="is_public",
            field=models.BooleanField(db_index=True, default=False, editable=False, verbose_name="public"),
        ),
        migrations.AddField(
            model_name="mcpserver",
            name="visibility_changed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="mcpserver",
            name="visibility_changed_by_name",
            field=models.CharField(blank=True, default="", editable=False, max_length=200),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="DeletedServer",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=new_object_id, editable=False, max_length=24, primary_key=True, serialize=False
                    ),
                ),
                ("federation_id", models.CharField(blank=True, max_length=24)),
                ("server_name", models.CharField(max_length=200)),
                ("path", models.CharField(max_length=255, unique=True)),
                ("title", models.TextField(blank=True)),
                ("description", models.TextField(blank=True)),
                ("runtime_version", models.CharField(max_length=32)),
                ("was_public", models.BooleanField(default=False)),
                ("is_only_hidden", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(db_index=True, default=timezone.now)),
            ],
            options={"default_permissions": ()},
        ),
    ]
