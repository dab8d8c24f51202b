"""The programs of the texts to copy (`connect`), with places for the values of a resource."""

from __future__ import annotations

from string import Template

AWS_AUTH = Template('''
CREDENTIALS = boto3.Session().get_credentials()


class AwsAuth($httpx.Auth):
    """Signs each request with AWS Signature Version 4."""

    requires_request_body = True

    def auth_flow(self, request):
        headers = {"host": request.headers["host"]}
        signed = AWSRequest(request.method, str(request.url), headers, request.content)
        SigV4Auth(CREDENTIALS, "bedrock-agentcore", $region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request
''')

BOTOCORE_IMPORTS = "from botocore.auth import SigV4Auth\nfrom botocore.awsrequest import AWSRequest\n"

BEARER_AUTH = Template('headers={"Authorization": "Bearer " + os.environ["TOKEN"]}')

MCP_PYTHON = Template("""
# $install
$first

${boto3}import httpx2
${botocore}from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = $url$setup


async def main():
    async with httpx2.AsyncClient($client, timeout=60) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            for tool in (await client.list_tools()).tools:
                print(tool.name, tool.description)


asyncio.run(main())
""")

MCP_BOTO3 = Template("""
# pip install boto3
import json

import boto3

PAYLOAD = $payload

client = boto3.client("bedrock-agentcore", region_name=$region)
answer = client.invoke_agent_runtime(
    agentRuntimeArn=$arn,
    qualifier="DEFAULT",
    contentType="application/json",
    accept="application/json, text/event-stream",
$headers    payload=json.dumps(PAYLOAD),
)
print(answer["response"].read().decode())
""")

A2A_PYTHON = Template("""
# $install
$first

${boto3}import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import get_stream_response_text, new_text_message
from a2a.types import Role, SendMessageRequest
${botocore}
URL = $url
BASE = $base$setup


async def main():
    async with httpx.AsyncClient($client, timeout=60) as http:
        card = await A2ACardResolver(http, BASE).get_agent_card()
        # AgentCore may withhold the header A2A-Version, and then an agent takes a request for A2A 0.3.
        older = [each for each in card.supported_interfaces if each.protocol_version.startswith("0.")]
        for interface in list(card.supported_interfaces):
            interface.url = URL
            if older and interface not in older:
                card.supported_interfaces.remove(interface)
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        message = new_text_message("Hello", role=Role.ROLE_USER)
        async for answer in client.send_message(SendMessageRequest(message=message)):
            print(get_stream_response_text(answer))


asyncio.run(main())
""")

A2A_BOTO3 = Template("""
# pip install boto3
import json

import boto3

PAYLOAD = $payload


def add_revision(params, **_):
    params["headers"]["A2A-Version"] = $revision


client = boto3.client("bedrock-agentcore", region_name=$region)
client.meta.events.register("before-call.bedrock-agentcore.InvokeAgentRuntime", add_revision)
answer = client.invoke_agent_runtime(
    agentRuntimeArn=$arn,
    qualifier="DEFAULT",
    contentType="application/json",
    accept="application/json",
    payload=json.dumps(PAYLOAD),
)
print(answer["response"].read().decode())
""")

CARD_BOTO3 = Template("""
# pip install boto3
import json

import boto3

client = boto3.client("bedrock-agentcore", region_name=$region)
answer = client.get_agent_card(agentRuntimeArn=$arn, qualifier="DEFAULT")
print(json.dumps(answer["agentCard"], indent=2))
""")
