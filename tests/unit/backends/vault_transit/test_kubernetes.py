"""A pod logs in with its service account, whose token Kubernetes replaces."""

from collections.abc import Iterator

import pytest

from backends.errors import KeyAccessDenied
from tests.support.certificates import make_certificate
from tests.support.kubernetes_api import ACCOUNT, NAMESPACE, KubernetesApi, kubernetes_api
from tests.support.openbao import OpenBao
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault


@pytest.fixture(scope="module")
def cluster(openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    """A cluster that the shared server trusts."""
    openbao.api("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    certificate = make_certificate(tmp_path_factory.mktemp("cluster"))
    with kubernetes_api(certificate) as cluster:
        configuration = {
            "kubernetes_host": cluster.address,
            "kubernetes_ca_cert": certificate.ca_file.read_text(),
            "token_reviewer_jwt": cluster.issue(),
            "disable_local_ca_jwt": True,
        }
        openbao.api("POST", "auth/kubernetes/config", configuration)
        yield cluster


@pytest.fixture
def role(vault: Vault) -> str:
    """A role of the pod's service account, with the key's policy."""
    vault.server.api(
        "POST",
        f"auth/kubernetes/role/{vault.key}",
        {
            "bound_service_account_names": [ACCOUNT],
            "bound_service_account_namespaces": [NAMESPACE],
            "token_policies": [vault.key],
            "token_ttl": "1s",
            "token_max_ttl": "1s",
        },
    )
    return vault.key


def test_a_pod_logs_in_with_its_service_account(
    vault: Vault, cluster: KubernetesApi, role: str
) -> None:
    jwt_file = vault.secret("jwt", cluster.issue())
    provider = vault.provider(f"kubernetes_role={role}&jwt_file={jwt_file}")
    key, wrapped = provider.generate(CONTEXT)
    assert provider.unwrap(wrapped, CONTEXT) == key


def test_a_replaced_service_account_token_is_taken_at_the_next_login(
    vault: Vault, cluster: KubernetesApi, role: str
) -> None:
    old = cluster.issue()
    jwt_file = vault.secret("jwt", old)
    provider = vault.provider(f"kubernetes_role={role}&jwt_file={jwt_file}")
    assert provider.status().healthy
    cluster.withdraw(old)
    vault.secret("jwt", cluster.issue())
    vault.server.api("PUT", "sys/leases/revoke-force/auth/kubernetes/login")
    assert provider.status().healthy


def test_a_service_account_that_kubernetes_does_not_vouch_for_is_denied(
    vault: Vault, cluster: KubernetesApi, role: str
) -> None:
    token = cluster.issue()
    cluster.withdraw(token)
    provider = vault.provider(f"kubernetes_role={role}&jwt_file={vault.secret('jwt', token)}")
    with pytest.raises(KeyAccessDenied, match="Vault refuses the login"):
        provider.generate(CONTEXT)


def test_a_role_that_is_not_there_is_denied(vault: Vault, cluster: KubernetesApi) -> None:
    jwt_file = vault.secret("jwt", cluster.issue())
    provider = vault.provider(f"kubernetes_role=nobody&jwt_file={jwt_file}")
    with pytest.raises(KeyAccessDenied, match="Vault refuses the login"):
        provider.generate(CONTEXT)
