"""Over real sockets: KMS by ``moto_server``, and endpoints that fail in every way there is."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from backends.aws_kms.provider import AwsKms
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import (
    DecryptionError,
    KeyProviderConfigError,
    KeyUnavailable,
)
from tests.unit.backends.aws_kms.conftest import provider_of
from tests.unit.backends.aws_kms.endpoints import (
    babble,
    closed_port,
    cut_off,
    drip,
    endpoint,
    full_port,
    greet_in_tls,
    hang,
    hang_up,
    write_self_signed,
)

ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

At = Callable[..., AwsKms]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of a KMS that moto serves over HTTP, without any correction."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> At:
    """A provider whose KMS is at a URL, set as an operator sets it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    def build(url: str, arn: str = ARN) -> AwsKms:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        provider = provider_of(arn)
        request.addfinalizer(provider.close)
        return provider

    return build


@pytest.fixture
def served(at: At, moto: str) -> AwsKms:
    at(moto)  # for the credentials
    client = boto3.session.Session().client("kms", "eu-west-1", endpoint_url=moto)
    return at(moto, client.create_key()["KeyMetadata"]["Arn"])


def test_a_data_key_opens_over_http(served: AwsKms, context: KeyContext) -> None:
    key, wrapped = served.generate(context)
    assert served.unwrap(wrapped, context) == key


def test_a_given_key_is_wrapped_over_http(served: AwsKms, context: KeyContext) -> None:
    key = DataKey.random()
    assert served.unwrap(served.wrap(key, context), context) == key


def test_a_data_key_is_rewrapped_over_http(served: AwsKms, context: KeyContext) -> None:
    key, wrapped = served.generate(context)
    assert served.unwrap(served.rewrap(wrapped, context), context) == key


def test_another_context_is_refused_over_http(served: AwsKms, context: KeyContext) -> None:
    _, wrapped = served.generate(context)
    with pytest.raises(DecryptionError):
        served.unwrap(wrapped, KeyContext("dep_1", "acc_2", "dk_1"))


def test_a_kms_that_tells_no_material_gives_the_bare_arn(
    served: AwsKms, context: KeyContext
) -> None:
    _, wrapped = served.generate(context)
    assert wrapped.key_ref == served.status().key_ref
    assert "#" not in wrapped.key_ref


BROKEN: Mapping[str, tuple[Callable[[], AbstractContextManager[str]], str]] = {
    "refuses": (closed_port, "cannot be reached"),
    "never accepts": (full_port, "in time"),
    "never answers": (partial(endpoint, hang), "in time"),
    "hangs up": (partial(endpoint, hang_up), "closed the connection"),
    "drips": (partial(endpoint, drip), "in time"),
    "cuts off": (partial(endpoint, cut_off), "makes no sense"),
    "speaks no HTTP": (partial(endpoint, babble), "closed the connection"),
}


@pytest.mark.parametrize("way", BROKEN)
def test_an_endpoint_that_fails_is_an_outage_in_time(at: At, context: KeyContext, way: str) -> None:
    broken, words = BROKEN[way]
    with broken() as address:
        provider = at(f"http://{address}")
        provider._keeper.get().client()
        started = time.monotonic()
        with pytest.raises(KeyUnavailable, match=words):
            provider.generate(context)
        assert time.monotonic() - started < 4


def test_a_name_that_does_not_resolve_is_an_outage(at: At, context: KeyContext) -> None:
    with pytest.raises(KeyUnavailable, match="cannot be reached"):
        at("https://kms.invalid").generate(context)


def test_an_endpoint_without_tls_is_an_outage(at: At, context: KeyContext) -> None:
    with endpoint(babble) as address, pytest.raises(KeyUnavailable, match="TLS"):
        at(f"https://{address}").generate(context)


def test_an_endpoint_whose_certificate_nobody_vouches_for_gets_no_request(
    at: At, context: KeyContext, tmp_path: Path
) -> None:
    certificate = tmp_path / "certificate.pem"
    write_self_signed(certificate)
    before = certificate.read_bytes()
    greet = greet_in_tls(certificate)
    with endpoint(greet) as address, pytest.raises(KeyUnavailable, match="TLS"):
        at(f"https://{address}").generate(context)
    assert certificate.read_bytes() == before


def test_a_private_authority_is_trusted_by_the_usual_variable(
    monkeypatch: pytest.MonkeyPatch, at: At, context: KeyContext, tmp_path: Path
) -> None:
    certificate = tmp_path / "certificate.pem"
    write_self_signed(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    greet = greet_in_tls(certificate)
    with endpoint(greet) as address, pytest.raises(KeyUnavailable, match="closed the connection"):
        at(f"https://{address}").generate(context)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8080", "http://kms.example", "http://[2001:db8::1]"]
)
def test_keys_never_travel_in_clear(at: At, context: KeyContext, url: str) -> None:
    with pytest.raises(KeyProviderConfigError, match="AWS_ENDPOINT_URL_KMS must be https"):
        at(url).generate(context)


def test_a_loopback_endpoint_in_clear_is_never_handed_to_a_proxy(
    monkeypatch: pytest.MonkeyPatch, served: AwsKms, context: KeyContext
) -> None:
    with closed_port() as nowhere:
        monkeypatch.setenv("HTTP_PROXY", f"http://{nowhere}")
        key, wrapped = served.generate(context)
    assert served.unwrap(wrapped, context) == key


def test_a_proxy_that_is_set_is_used_for_tls(
    monkeypatch: pytest.MonkeyPatch, at: At, context: KeyContext
) -> None:
    with closed_port() as nowhere:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{nowhere}")
        with pytest.raises(KeyUnavailable, match="proxy"):
            at("https://kms.example").generate(context)


def test_an_endpoint_that_is_no_url_names_the_configuration(at: At, context: KeyContext) -> None:
    with pytest.raises(KeyProviderConfigError, match="endpoint is not usable"):
        at("kms:8080").generate(context)


def test_a_profile_that_does_not_exist_names_the_configuration(
    monkeypatch: pytest.MonkeyPatch, at: At, context: KeyContext
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(KeyProviderConfigError, match="profile"):
        at("http://127.0.0.1:1").generate(context)
