from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.app.federations.agentcore.aws_server import AwsServer, described, json_answer, runtime_arn
from tests.app.federations.agentcore.conftest import ROLE
from tests.app.federations.agentcore.test_probe import STS_REFUSAL

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = {
    "provider_type": "aws_agentcore",
    "region": "us-east-1",
    "role_arn": ROLE,
    "tag_filter": "env",
    "tag_filter_value": "production",
}


def test_staff_test_an_unsaved_federation_against_aws(aws: AwsServer) -> None:
    aws.serve_runtimes(described("ledger"), described("triage", "A2A"), described("web", "HTTP"))
    for name, tags in (("ledger", {"env": "production"}), ("triage", {"env": "test"}), ("web", {})):
        aws.routes["GET", f"/tags/{runtime_arn(name)}"] = json_answer({"tags": tags})
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    form = client.get(reverse("admin:federations_federation_add")).context["adminform"].form
    typed = TYPED | {"sealed_external_id": form.initial["sealed_external_id"]}
    test = reverse("admin:federations_federation_test_new")

    text = client.post(test, typed).content.decode()

    assert "3 runtimes in us-east-1: 1 MCP server, 1 A2A agent, 1 other. With this filter 1 of 3 stay." in text
    assert form.instance.external_id in aws.sent[0].body.decode()
    aws.routes["POST", "/"] = STS_REFUSAL
    refused = client.post(test, typed).content.decode()
    assert f"AWS does not let the hub assume the role {ROLE}." in refused
    assert "Check that the role exists" in refused
    for secret in ("secret1", "token1", "hub-secret", "AKIAHUB", "ASIAROLE1"):
        assert secret not in text + refused
