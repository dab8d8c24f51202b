"""The trust policy of a federation's role, ready to copy."""

from __future__ import annotations

import json

PRINCIPAL = "arn:aws:iam::<account of the hub>:root"


def trust_policy_of(external_id: str) -> str:
    """Return the trust policy that the federation's role needs, as JSON (AWS STS AssumeRole, `ExternalId`)."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": PRINCIPAL},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
