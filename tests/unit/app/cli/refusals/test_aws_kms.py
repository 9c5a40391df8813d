"""Keys, permissions and endpoints that KMS, or ``aws-kms``, does not accept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.kms import KmsServer, environment_for, kms_server
from tests.support.ports import free_port
from tests.support.terminal import Terminal, faults
from tests.unit.app.cli.refusals.conftest import ESCROW, FIRST, SECOND, Listing

pytestmark = pytest.mark.slow

DENIED = "KMS refuses: these credentials know no such key, or may not use it."
ACTIONS = ("GenerateDataKey", "Encrypt", "Decrypt", "ReEncrypt", "DescribeKey")
"""``ReEncrypt`` is one permission to moto and two to AWS."""


@dataclass(frozen=True)
class Kms:
    """A server that enforces permissions.

    Attributes:
        arns: The ARNs of keys, by what there is to say of each.
        users: Credentials that may do everything (``""``), or all but one thing.
    """

    server: KmsServer
    arns: Mapping[str, str]
    users: Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kms]:
    with kms_server(tmp_path_factory.mktemp("kms")) as server:
        arns = {
            "good": server.create_key(),
            "other": server.create_key(),
            "disabled": server.create_key(),
            "deleted": server.create_key(),
            "asymmetric": server.create_key(KeySpec="RSA_2048"),
        }
        server.disable(arns["disabled"])
        server.schedule_deletion(arns["deleted"])
        arns["unknown"] = arns["good"].rpartition("/")[0] + f"/{'0' * 8}-0000-0000-0000-{'0' * 12}"
        users = {
            lacking: server.user(*(f"kms:{each}" for each in ACTIONS if each != lacking))
            for lacking in ("", *ACTIONS)
        }
        server.enforce_permissions()
        yield Kms(server, arns, users)


@pytest.fixture
def become(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask KMS as a user who may do everything."""
    act_as(kms, "", monkeypatch)


def act_as(kms: Kms, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**environment_for(kms.server.host), **kms.users[lacking]}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("become")
def test_a_key_with_the_least_privilege_passes(listing: Listing, kms: Kms) -> None:
    uri = f"aws-kms:{kms.arns['good']}"
    both = {"STRONGROOM_KEYS": f"{uri} {listing.key_file}", "STRONGROOM_ESCROW_KEYS": uri}
    assert listing.passes(**both)


@pytest.mark.usefixtures("become")
@pytest.mark.parametrize(
    ("which", "words"),
    {
        "unknown": "KMS has no such key.",
        "disabled": "the KMS key is disabled.",
        "deleted": "the KMS key waits for its deletion.",
        "asymmetric": "the KMS key must be a symmetric key for encryption and decryption.",
    }.items(),
)
def test_an_unusable_key_is_refused(listing: Listing, kms: Kms, which: str, words: str) -> None:
    uri = f"aws-kms:{kms.arns[which]}"
    assert listing.first(uri) == [FIRST + words]
    assert listing.escrow(uri) == [ESCROW + words]


@pytest.mark.usefixtures("become")
def test_a_key_that_never_wrapped_anything_here(bare: Terminal, kms: Kms) -> None:
    bare.environ["STRONGROOM_KEYS"] = f"aws-kms:{kms.arns['other']}"
    bare.answer("init")
    unopened, unreadable = faults(bare, STRONGROOM_KEYS=f"aws-kms:{kms.arns['good']}")
    assert unopened.startswith("STRONGROOM_KEYS: the system data key does not open: ")
    assert unreadable == "STRONGROOM_KEYS: no listed provider could open 1 data keys."


@pytest.mark.parametrize("lacking", ACTIONS)
def test_credentials_that_lack_one_permission(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    act_as(kms, lacking, monkeypatch)
    assert listing.first(f"aws-kms:{kms.arns['good']}") == [FIRST + DENIED]


@pytest.mark.parametrize("lacking", [each for each in ACTIONS if each != "GenerateDataKey"])
def test_credentials_of_an_escrow_key_that_lack_one_permission(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    act_as(kms, lacking, monkeypatch)
    assert listing.escrow(f"aws-kms:{kms.arns['good']}") == [ESCROW + DENIED]


@pytest.mark.parametrize("lacking", ["GenerateDataKey", "Decrypt", "DescribeKey"])
def test_credentials_of_a_key_that_only_unwraps_that_lack_one_permission(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    act_as(kms, lacking, monkeypatch)
    assert listing.second(f"aws-kms:{kms.arns['good']}") == [SECOND + DENIED]


@pytest.mark.parametrize("lacking", ["Encrypt", "ReEncrypt"])
def test_a_key_that_only_unwraps_needs_no_permission_to_wrap(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    act_as(kms, lacking, monkeypatch)
    assert listing.passes(STRONGROOM_KEYS=f"{listing.key_file} aws-kms:{kms.arns['good']}")


@pytest.mark.usefixtures("become")
def test_no_credentials_at_all(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in kms.users[""]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    uri = f"aws-kms:{kms.arns['good']}"
    (told,) = listing.first(uri)
    assert told.startswith(FIRST + "no usable AWS credentials were found. Set AWS_PROFILE,")


@pytest.mark.usefixtures("become")
def test_an_endpoint_where_nobody_listens(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_port()}")
    told = listing.alone(f"aws-kms:{kms.arns['good']}")
    assert told[0] == f"{FIRST}KMS cannot be reached."


@pytest.mark.usefixtures("become")
def test_an_endpoint_elsewhere_in_clear(
    listing: Listing, kms: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://kms.invalid")
    words = "AWS_ENDPOINT_URL_KMS must be https:, or http: to a loopback address."
    assert listing.first(f"aws-kms:{kms.arns['good']}") == [FIRST + words]


def test_a_malformed_arn_is_refused(listing: Listing) -> None:
    (told,) = listing.first("aws-kms:alias/strongroom")
    assert told.startswith(f"{FIRST}must be the ARN of a KMS key or alias")
