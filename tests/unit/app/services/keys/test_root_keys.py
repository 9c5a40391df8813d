"""Root keys that have several versions: what a newer one replaces, and what a fence holds off."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.services.container import Services
from app.services.rotation.retire import StillNeeded
from backends.errors import KeyProviderConfigError
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import Move, ignore, key_ref
from tests.unit.backends.aws_kms.kms import Kms, kms_in_process, refusal
from tests.unit.backends.vault_transit.vault import Vault

DATA_KEYS = 5


@dataclass(frozen=True)
class Root:
    """A root key that is rotated in place.

    Attributes:
        uri: Its entry in ``STRONGROOM_KEYS``.
    """

    uri: str
    rotate: Callable[[], object]


@pytest.fixture
def kms() -> Iterator[Kms]:
    with kms_in_process() as kms:
        yield kms


@pytest.fixture(params=["aws-kms", "vault-transit"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    if request.param == "aws-kms":
        kms: Kms = request.getfixturevalue("kms")
        arn = kms.create_key()
        return Root(f"aws-kms:{arn}", lambda: kms.rotate(arn))
    vault = Vault(request.getfixturevalue("openbao"), tmp_path / "vault")
    token = vault.secret("token", vault.server.token(vault.key))
    return Root(vault.uri(f"token_file={token}"), vault.rotate)


def refs(move: Move) -> set[str]:
    """By what the data keys are wrapped, each by all of it."""
    with move.deployment.rows() as rows:
        counts = [each["key_ref"] for each in rows.all("wrappings")]
    assert len(counts) % DATA_KEYS == 0
    return set(counts)


def current_ref(services: Services) -> str:
    """The key_ref of new wrappings."""
    ref = services.keyring_status.report().providers[0].status.key_ref
    assert ref is not None
    return ref


def fences(move: Move) -> list[str]:
    with move.deployment.rows() as rows:
        return [each["key_ref"] for each in rows.all("fences")]


@pytest.fixture
def moved_on(move: Move, tenants: list[Tenant], root: Root) -> str:
    """Every data key was wrapped by ``root``, and is by ``b`` now; what was retired."""
    first = move.process(root.uri, move.a)
    first.rewrap.run(ignore)
    old = current_ref(first)
    services = move.process(move.b, root.uri, move.a)
    services.rewrap.run(ignore)
    services.retire.run(old)
    return old


def test_a_newer_version_replaces_the_older(move: Move, tenants: list[Tenant], root: Root) -> None:
    move.process(root.uri, move.a).rewrap.run(ignore)
    before = refs(move)
    root.rotate()
    move.process(root.uri, move.a).rewrap.run(ignore)
    assert len(refs(move)) == len(before) == 2
    assert len(refs(move) & before) == 1


def test_a_retired_root_key_that_is_rotated_wraps_no_new_data_key(
    move: Move, moved_on: str, root: Root
) -> None:
    root.rotate()
    newcomer = new_tenant(move.process(root.uri, move.a))
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        newcomer.create("A")


def test_a_retired_root_key_that_is_rotated_rewraps_no_data_key(
    move: Move, moved_on: str, root: Root
) -> None:
    root.rotate()
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        move.process(root.uri, move.a).rewrap.run(ignore)


def test_a_retired_root_key_that_is_rotated_shows_as_fenced(
    move: Move, moved_on: str, root: Root
) -> None:
    (name,) = fences(move)
    report = move.process(move.b).keyring_status.report()
    assert ("fenced", 0, name) in {(e.state, e.wrappings, e.key_ref) for e in report.key_refs}


@pytest.mark.parametrize("by", ["key_ref", "root"])
def test_undoing_it_lets_every_version_wrap_again(
    move: Move, moved_on: str, root: Root, by: str
) -> None:
    name = moved_on if by == "key_ref" else fences(move)[0]
    move.process(root.uri, move.b).retire.undo(name)
    root.rotate()
    new_tenant(move.process(root.uri, move.b)).create("A")
    assert fences(move) == []


def test_retiring_a_version_lets_a_newer_one_of_the_same_root_key_go_on(
    move: Move, tenants: list[Tenant], root: Root
) -> None:
    first = move.process(root.uri, move.a)
    first.rewrap.run(ignore)
    old = current_ref(first)
    with move.deployment.rows() as rows:
        late = rows.all("wrappings", key_ref=old)
        root.rotate()
        rotated = move.process(root.uri, move.a)
        rotated.rewrap.run(ignore)
        for row in late:  # a node that rewrapped at the same time
            rows.plant("wrappings", row)
    assert rotated.retire.run(old).wrappings == DATA_KEYS
    new_tenant(move.process(root.uri, move.a)).create("A")
    assert fences(move) == [old]


def test_retiring_a_version_again_after_moving_on_fences_the_whole_root_key(
    move: Move, tenants: list[Tenant], root: Root
) -> None:
    first = move.process(root.uri, move.a)
    first.rewrap.run(ignore)
    old = current_ref(first)
    root.rotate()
    move.process(root.uri, move.a).rewrap.run(ignore)
    with move.deployment.rows() as rows:
        rows.plant("fences", {"key_ref": old})  # as when it was retired while the next was in use
    moved = move.process(move.b, root.uri, move.a)
    moved.rewrap.run(ignore)
    moved.retire.run(old)
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        new_tenant(move.process(root.uri, move.a)).create("A")


def test_a_replica_in_another_region_is_fenced_too(
    move: Move, tenants: list[Tenant], kms: Kms
) -> None:
    here, there = (f"aws-kms:{arn}" for arn in kms.create_multi_region_key("us-east-1"))
    first = move.process(here, move.a)
    first.rewrap.run(ignore)
    services = move.process(move.b, here, move.a)
    services.rewrap.run(ignore)
    services.retire.run(current_ref(first))
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        new_tenant(move.process(there, move.a)).create("A")


def test_a_key_and_its_replica_as_escrow_both_keep_their_wrappings(
    move: Move, tenants: list[Tenant], kms: Kms
) -> None:
    here, there = kms.create_multi_region_key("us-east-1")
    for changed in (DATA_KEYS, 0):
        services = move.process(f"aws-kms:{here}", move.a, escrow=f"aws-kms:{there}")
        assert services.rewrap.run(ignore).changed == changed
    assert {ref.partition("#")[0] for ref in refs(move)} > {here, there}


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_kms_key_that_is_dying_is_not_relied_on(
    move: Move, tenants: list[Tenant], kms: Kms, state: str
) -> None:
    arn = kms.create_key()
    services = move.process(f"aws-kms:{arn}", move.a)
    services.rewrap.run(ignore)
    kms.set_state(arn, state)
    with pytest.raises(StillNeeded):
        move.process(f"aws-kms:{arn}", move.a).retire.run(key_ref(move.a))
    assert fences(move) == []


def test_an_alias_that_cannot_be_resolved_is_not_relied_on(
    move: Move, tenants: list[Tenant], kms: Kms
) -> None:
    alias = f"aws-kms:{kms.point_alias('relied-on', kms.create_key())}"
    move.process(alias, move.a).rewrap.run(ignore)
    kms.fault = lambda *_: refusal("KMSInternalException", 500)
    with pytest.raises(StillNeeded, match=r"STRONGROOM_KEYS \(entry 2\): "):
        move.process(move.b, alias, move.a).retire.run(key_ref(move.a))
    assert fences(move) == []
