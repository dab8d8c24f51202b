"""Connections to the data plane: over TLS with AWS_CA_BUNDLE, and through the proxy that boto3 uses."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from federations.sync.resources import EnrichedMcpServer, FailedRuntime
from tests.app.federations.agentcore.aws_server import Answer, AwsServer, Sent, aws_server
from tests.app.federations.agentcore.conftest import Discover
from tests.app.federations.agentcore.mcp_replies import mcp_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_runtime_over_tls_is_called_only_where_its_certificate_is_trusted(
    aws: AwsServer, discover: Discover, monkeypatch: pytest.MonkeyPatch, certificate: Path, is_trusted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    aws.serve_runtimes("claims")
    with aws_server(context) as runtimes:
        runtimes.on_invocation("claims", mcp_server())
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", runtimes.url)
        monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
        if is_trusted:
            monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        (finding,) = discover()
    if is_trusted:
        assert isinstance(finding, EnrichedMcpServer), finding
    else:
        assert isinstance(finding, FailedRuntime)
        assert "CERTIFICATE_VERIFY_FAILED" in finding.error
        assert not runtimes.sent


def test_the_proxy_of_the_environment_is_used_as_boto3_does(
    aws: AwsServer, discover: Discover, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.serve_runtimes("claims")
    with aws_server() as proxy:
        proxy.on_invocation("claims", mcp_server())
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", "http://runtimes.invalid")
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        (finding,) = discover()
    assert isinstance(finding, EnrichedMcpServer), finding
    assert all(sent.target.startswith("http://runtimes.invalid/runtimes/") for sent in proxy.sent)
    assert not aws.invocations()


@pytest.mark.parametrize("length", [8_000, 20_000, 60_000])
def test_a_long_session_id_is_read_and_sent_back(aws: AwsServer, discover: Discover, length: int) -> None:
    aws.serve_runtimes("claims")
    serve = mcp_server()

    def with_long_id(sent: Sent) -> Answer:
        answer = serve(sent)
        is_new = sent.json["method"] == "initialize"
        return replace(answer, headers={"mcp-session-id": "s" * length}) if is_new else answer

    aws.on_invocation("claims", with_long_id)
    (finding,) = discover()

    assert isinstance(finding, EnrichedMcpServer), finding
    assert aws.invocations()[-1].headers["mcp-session-id"] == "s" * length
