"""JWTs of another issuer: a real JWK Set over loopback, and tokens that an independent library (jwcrypto) signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient
from werkzeug import Response

from core.programs import uses
from core.programs.foreign_tokens import ForeignTokenError, accept
from core.programs.issuers import read_issuers
from core.programs.keys import KEEP_SECONDS, KEY_SETS, REFRESH_SECONDS, RETRY_SECONDS, KeySets, fetch_keys
from tests.conftest import MakeUser, give_scopes

pytestmark = pytest.mark.django_db

AUDIENCE = "https://hub.example"
KEYS: dict[str, JWK] = {
    "rsa": JWK.generate(kty="RSA", size=2048, kid="rsa"),
    "ec": JWK.generate(kty="EC", crv="P-256", kid="ec"),
    "ed": JWK.generate(kty="OKP", crv="Ed25519", kid="ed"),
    "other": JWK.generate(kty="RSA", size=2048, kid="other"),
}
ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA", "other": "RS256"}
SCOPES = ("federations-read", "federations-write", "system-ops", "peers-read")


class IssuerDouble:
    """An OpenID provider on loopback: discovery, and the JWK Set `keys`; `asked` counts its requests."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.keys: list[dict[str, Any]] = [self.public(name) for name in ("rsa", "ec", "ed")]
        self.is_up, self.asked = True, 0
        server.expect_request("/.well-known/openid-configuration").respond_with_json(
            {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        )
        server.expect_request("/keys").respond_with_handler(self.answer)

    def public(self, name: str, **members: Any) -> dict[str, Any]:
        return {**KEYS[name].export_public(as_dict=True), **members}

    def answer(self, request: Any) -> Response:
        self.asked += 1
        body = json.dumps({"keys": self.keys})
        return Response(body, status=200 if self.is_up else 503, content_type="application/json")

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "build", "iat": now, "nbf": now, "exp": now + 300}
        return {name: value for name, value in (claims | {"scope": "write"} | changes).items() if value is not None}

    def token(self, key: str = "rsa", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        head = {"alg": ALGORITHMS[key], "kid": key, "typ": "JWT"} | (header or {})
        token = JWT(header={name: value for name, value in head.items() if value is not None},
                    claims=self.claims(**claims), algs=list({head["alg"], *ALGORITHMS.values()}))  # fmt: skip
        token.make_signed_token(KEYS[key])
        return str(token.serialize())

    def setting(self, **changes: Any) -> Any:
        entry = {
            "issuer": self.url,
            "audience": AUDIENCE,
            "user": "robot",
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "scopes": ["federations-read"],
            "scope_claims": {"scope": {"write": ["federations-write", "peers-read"]}, "groups": {"ops": "system-ops"}},
            "required_claims": {"sub": ["build", "deploy"]},
        }
        return read_issuers(json.dumps([entry | changes]), scopes=SCOPES)


@pytest.fixture
def issuer(httpserver: HTTPServer, settings: Settings) -> Iterator[IssuerDouble]:
    double = IssuerDouble(httpserver)
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    settings.FEDHUB_JWT_ISSUERS = double.setting()
    KEY_SETS.forget_all()
    uses._noted.clear()
    yield double
    KEY_SETS.forget_all()


@pytest.fixture(autouse=True)
def robot(make_user: MakeUser) -> User:
    return give_scopes(make_user("robot"), ["federations-write"])


def get(token: str, header: str = "Authorization") -> Any:
    value = f"Bearer {token}" if header == "Authorization" else token
    return APIClient().get("/api/v1/federations", headers={header: value})


def assert_refused(token: str) -> None:
    answer = get(token)
    assert (answer.status_code, answer.json()) == (401, {"detail": "JWT or session authentication required"})
    assert answer["WWW-Authenticate"] == 'Bearer realm="fedhub"'


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_by(key: str, header: bytes, claims: bytes) -> str:
    """Sign any octets, as an issuer that makes mistakes would."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = f"{encode(header)}.{encode(claims)}"
    private: Any = load_pem_private_key(KEYS[key].export_to_pem(private_key=True, password=None), None)
    return f"{text}.{encode(private.sign(text.encode(), PKCS1v15(), SHA256()))}"


@pytest.mark.parametrize("key", ["rsa", "ec", "ed"])
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_token_of_the_issuer_acts_for_the_named_user(issuer: IssuerDouble, key: str, header: str) -> None:
    assert get(issuer.token(key), header).status_code == 200


def test_the_log_says_once_a_minute_which_subject_acts_for_the_user(
    issuer: IssuerDouble, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert get(issuer.token()).status_code == 200
    assert get(issuer.token(sub="deploy")).status_code == 200
    told = [record.getMessage() for record in caplog.records if record.name == "core.programs.uses"]
    assert told == [f"A JWT of {issuer.url} for {sub!r} acts for 'robot' from 127.0.0.1" for sub in ("build", "deploy")]


def test_the_scopes_are_those_of_setting_and_claims_that_the_users_roles_give(
    issuer: IssuerDouble, settings: Settings
) -> None:
    def statuses(token: str) -> list[int]:
        client = APIClient(headers={"Authorization": f"Bearer {token}"})
        bodies = {"displayName": 1}, {"runtimeArn": 1, "providerType": 1}
        paths = "/api/v1/federations", "/api/v1/federation/agentcore/runtime/sync"
        written = [client.post(path, body, format="json").status_code for path, body in zip(paths, bodies, strict=True)]
        return [*written, client.get("/api/v1/intents").status_code]

    # The roles of the user give neither peers-read nor system-ops.
    assert statuses(issuer.token(groups=["ops", 7])) == [400, 403, 403]
    assert statuses(issuer.token(scope="other")) == [403, 403, 403]
    User.objects.update(is_superuser=True)
    assert statuses(issuer.token(groups=["ops"])) == [400, 400, 200]
    assert statuses(issuer.token(scope=["write"], groups="x ops")) == [400, 400, 200]
    assert statuses(issuer.token(scope={"write": 1})) == [403, 403, 403]


Make = Callable[[IssuerDouble], str]
NOW = int(time.time())


def confused(issuer: IssuerDouble) -> str:
    """Return a token that is signed by HMAC with the public key as the secret."""
    text = f"{encode({'alg': 'HS256', 'kid': 'rsa', 'typ': 'JWT'})}.{encode(issuer.claims())}"
    secret = KEYS["rsa"].export_to_pem()
    return f"{text}.{encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def unsigned(issuer: IssuerDouble, algorithm: str = "none") -> str:
    return f"{encode({'alg': algorithm, 'kid': 'rsa'})}.{encode(issuer.claims())}."


def doubled(issuer: IssuerDouble) -> str:
    """Return a rightly signed token whose claims name the subject twice."""
    claims = json.dumps(issuer.claims(sub="build"))
    return signed_by("rsa", b'{"alg":"RS256","kid":"rsa"}', f'{{"sub":"evil",{claims[1:]}'.encode())


def tampered(issuer: IssuerDouble) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{encode(issuer.claims(sub='deploy'))}.{signature}"


REFUSALS: dict[str, Make] = {
    "another issuer": lambda issuer: issuer.token(iss="https://evil.example"),
    "the issuer with a slash": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "another audience": lambda issuer: issuer.token(aud="https://other.example"),
    "two audiences": lambda issuer: issuer.token(aud=[AUDIENCE, "https://other.example"]),
    "no audience": lambda issuer: issuer.token(aud=None),
    "an empty list of audiences": lambda issuer: issuer.token(aud=[]),
    "an audience in an object": lambda issuer: issuer.token(aud=[{"a": AUDIENCE}]),
    "expired": lambda issuer: issuer.token(exp=NOW - 3600),
    "no expiry": lambda issuer: issuer.token(exp=None),
    "an expiry as a text": lambda issuer: issuer.token(exp=str(NOW + 300)),
    "an expiry that is true": lambda issuer: issuer.token(exp=True),
    "not yet": lambda issuer: issuer.token(nbf=NOW + 3600),
    "issued in the future": lambda issuer: issuer.token(iat=NOW + 3600),
    "issued too long ago": lambda issuer: issuer.token(iat=NOW - 90_000),
    "no time of issue": lambda issuer: issuer.token(iat=None),
    "another subject": lambda issuer: issuer.token(sub="evil"),
    "a list of subjects": lambda issuer: issuer.token(sub=["build"]),
    "no subject": lambda issuer: issuer.token(sub=None),
    "bound to a key of the sender": lambda issuer: issuer.token(cnf={"jkt": "x"}),
    "alg none": unsigned,
    "alg None": lambda issuer: unsigned(issuer, "None"),
    "HS256 with the public key": confused,
    "an algorithm that is not allowed": lambda issuer: issuer.token(header={"alg": "RS512"}),
    "a key of another type": lambda issuer: issuer.token(header={"kid": "ec"}),
    "a key of the issuer that signed nothing": lambda issuer: issuer.token("other", header={"kid": "rsa"}),
    "an unknown key": lambda issuer: issuer.token("other"),
    "no key id": lambda issuer: issuer.token(header={"kid": None}),
    "another type of token": lambda issuer: issuer.token(header={"typ": "logout+jwt"}),
    "a critical extension": lambda issuer: signed_by(
        "rsa", b'{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}', json.dumps(issuer.claims()).encode()
    ),
    "an unencoded payload": lambda issuer: signed_by(
        "rsa", b'{"alg":"RS256","kid":"rsa","b64":true}', json.dumps(issuer.claims()).encode()
    ),
    "a claim that stands twice": doubled,
    "a header member that stands twice": lambda issuer: signed_by(
        "rsa", b'{"alg":"RS256","kid":"rsa","alg":"RS256"}', json.dumps(issuer.claims()).encode()
    ),
    "claims that are not an object": lambda issuer: signed_by("rsa", b'{"alg":"RS256","kid":"rsa"}', b"[]"),
    "other claims under the signature": tampered,
    "no signature": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "a padded signature": lambda issuer: issuer.token() + "==",
    "an encrypted form": lambda issuer: issuer.token() + ".x.y",
    "oversized": lambda issuer: issuer.token(more="x" * 4000),
    "deeply nested": lambda issuer: issuer.token(more=[[[[[[[[[[]]]]]]]]]]),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_any_other_token_is_refused(issuer: IssuerDouble, name: str) -> None:
    assert_refused(REFUSALS[name](issuer))
    assert get(issuer.token()).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda items: st.lists(items, max_size=2) | st.dictionaries(st.text(max_size=5), items, max_size=2),
    max_leaves=5,
)
MEMBERS = ("alg", "kid", "typ", "crit", "iss", "aud", "sub", "exp", "iat", "nbf", "scope", "cnf")


@given(changes=st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=3))
@settings_of_hypothesis(max_examples=100, deadline=None)
def test_any_value_in_any_place_is_refused_and_never_an_error(changes: dict[str, Any]) -> None:
    issuers = read_issuers(
        json.dumps([{"issuer": "https://i.example", "audience": "a", "user": "u", "scopes": "federations-read",
                     "required_claims": {"sub": "s"}}]), scopes=SCOPES
    )  # fmt: skip
    header = {"alg": "RS256", "kid": "k"} | changes
    claims = {"iss": "https://i.example", "aud": "a", "sub": "s", "iat": NOW, "exp": NOW + 300} | changes
    with pytest.raises(ForeignTokenError):
        accept(f"{encode(header)}.{encode(claims)}.x", issuers, now=NOW, find_key=lambda issuer, kid: None)


def test_a_few_types_and_one_audience_in_a_list_are_accepted(issuer: IssuerDouble) -> None:
    for kind in ("at+jwt", "JWT", "jwt", None):
        assert get(issuer.token(header={"typ": kind})).status_code == 200
    assert get(issuer.token(aud=[AUDIENCE])).status_code == 200
    assert get(issuer.token(exp=int(time.time()) - 30)).status_code == 200


@pytest.mark.parametrize("attributes", [{"username": "gone"}, {"is_active": False}], ids=["unknown", "inactive"])
def test_an_unknown_or_inactive_user_has_no_tokens(issuer: IssuerDouble, attributes: dict[str, Any]) -> None:
    token = issuer.token()
    assert get(token).status_code == 200
    User.objects.update(**attributes)
    assert_refused(token)


def test_without_the_setting_no_jwt_is_accepted(issuer: IssuerDouble, settings: Settings) -> None:
    settings.FEDHUB_JWT_ISSUERS = ()
    assert_refused(issuer.token())
    assert issuer.asked == 0


def test_workload_identities_of_aws_are_told_apart_by_nested_claims(issuer: IssuerDouble, settings: Settings) -> None:
    space = "https://sts.amazonaws.com/"
    role = "arn:aws:iam::123456789012:role/inventory"
    settings.FEDHUB_JWT_ISSUERS = issuer.setting(
        required_claims={"sub": role, space: {"aws_account": ["123456789012"], "org_id": "o-abc1234567"}}
    )
    own: Any = {"aws_account": "123456789012", "org_id": "o-abc1234567", "source_region": "us-east-1"}
    assert get(issuer.token(sub=role, **{space: own})).status_code == 200
    others: list[Any] = [{**own, "aws_account": "210987654321"}, {"aws_account": "123456789012"}, "123456789012", None]
    for other in others:
        assert_refused(issuer.token(sub=role, **{space: other}))


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"alg": "RS384"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"n": KEYS["ec"].export_public(as_dict=True)["x"]},
    ],
    ids=["another use", "other operations", "another algorithm", "a symmetric key", "a number of another key"],
)
def test_a_key_for_another_use_verifies_nothing(issuer: IssuerDouble, change: dict[str, Any]) -> None:
    issuer.keys = [issuer.public("rsa", **change)]
    assert_refused(issuer.token())
    assert issuer.asked == 1


def test_two_keys_with_one_id_verify_nothing(issuer: IssuerDouble) -> None:
    issuer.keys = [issuer.public("rsa"), issuer.public("other", kid="rsa")]
    assert_refused(issuer.token())


def test_a_private_key_in_the_set_verifies_nothing(issuer: IssuerDouble) -> None:
    issuer.keys = [KEYS["rsa"].export_private(as_dict=True)]
    assert_refused(issuer.token())


def test_discovery_of_another_issuer_gives_no_keys(issuer: IssuerDouble, httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json(
        {"issuer": "https://evil.example", "jwks_uri": f"{issuer.url}/keys"}
    )
    assert_refused(issuer.token())
    assert issuer.asked == 0


def test_an_issuer_in_a_private_network_must_be_allowed(issuer: IssuerDouble, settings: Settings) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = []
    assert_refused(issuer.token())
    assert issuer.asked == 0


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_keys_rotate_are_asked_for_seldom_and_end_with_their_time(issuer: IssuerDouble) -> None:
    clock = Clock()
    (known,) = issuer.setting(jwks_url=f"{issuer.url}/keys")
    sets = KeySets(fetch_keys, clock)

    assert [sets.find(known, "rsa") is not None for _ in range(3)] == [True] * 3
    assert issuer.asked == 1
    # Invented key ids: one request a minute, however many come.
    assert [sets.find(known, f"junk{number}") for number in range(5)] == [None] * 5
    assert issuer.asked == 1
    clock.now += RETRY_SECONDS
    assert [sets.find(known, f"junk{number}") for number in range(5)] == [None] * 5
    assert issuer.asked == 2

    issuer.keys = [issuer.public("other")]
    clock.now += RETRY_SECONDS
    assert sets.find(known, "other") is not None
    assert (sets.find(known, "rsa"), issuer.asked) == (None, 3)

    issuer.is_up = False
    clock.now += REFRESH_SECONDS
    assert (sets.find(known, "other") is not None, issuer.asked) == (True, 4)
    clock.now += KEEP_SECONDS - REFRESH_SECONDS
    assert (sets.find(known, "other"), issuer.asked) == (None, 5)
    issuer.is_up = True
    clock.now += RETRY_SECONDS
    assert sets.find(known, "other") is not None


def test_an_oversized_set_gives_no_keys(issuer: IssuerDouble) -> None:
    issuer.keys += [issuer.public("rsa", kid=f"k{number}", x="y" * 4000) for number in range(20)]
    assert_refused(issuer.token())
    KEY_SETS.forget_all()
    issuer.keys = [issuer.public("ed", kid=f"k{number}") for number in range(51)]
    assert_refused(issuer.token())
