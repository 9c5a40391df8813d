"""Keys and volumes as platforms mount them: a deployment is made and passes its check."""

import pytest

from tests.e2e.environments.place import AS_NOBODY, Outcome, Place

pytestmark = pytest.mark.slow

GROUP = 4711
IN_THE_GROUP = AS_NOBODY.replace("--clear-groups", f"--groups={GROUP}")
KEY = "python -m tests.e2e.environments.new_key"

DOCKER = f"""
mkdir -p /run/secrets
mount -t tmpfs none /run/secrets
{KEY} >/run/secrets/keys
chmod 0444 /run/secrets/keys
"""
COMPOSE = f"""
mkdir -p /run/secrets "$PLACE/host"
mount --bind "$PLACE/host" /run/secrets
{KEY} >/run/secrets/keys
chmod 0444 /run/secrets/keys
"""
KUBERNETES = f"""
mkdir "$PLACE/mounted"
mount -t tmpfs -o mode=1777 none "$PLACE/mounted"
cd "$PLACE/mounted"
mkdir ..2026_11_26_00_00_00.1
cd "$ROOT"
{KEY} >"$PLACE/mounted/..2026_11_26_00_00_00.1/keys"
cd "$PLACE/mounted"
chgrp -R {GROUP} ..2026_11_26_00_00_00.1
chmod MODE ..2026_11_26_00_00_00.1/keys
ln -s ..2026_11_26_00_00_00.1 ..data
ln -s ..data/keys keys
"""
# The file's ACL lets the service's user read it, and shows as the mode of its group.
SYSTEMD = f"""
mkdir "$PLACE/mounted"
mount -t tmpfs -o mode=0755 none "$PLACE/mounted"
{KEY} >"$PLACE/mounted/keys"
chmod 0440 "$PLACE/mounted/keys"
"""
VOLUME = f"""
mkdir "$PLACE/volume"
chgrp {GROUP} "$PLACE/volume"
chmod 2775 "$PLACE/volume"
"""


def passes(outcome: Outcome) -> bool:
    assert outcome.init_code == 0, outcome.init
    assert outcome.check["faults"] == []
    return outcome.check_code == 0


def keys(directory: str) -> dict[str, str]:
    return {"STRONGROOM_KEYS": f"local-fernet:{directory}/keys"}


def test_a_docker_secret(nobodys: Place) -> None:
    environ = keys("/run/secrets")
    assert passes(nobodys.run(inside=DOCKER, user=AS_NOBODY, serve=False, environ=environ))


def test_a_file_that_compose_binds_is_refused_with_its_setting(nobodys: Place) -> None:
    environ = keys("/run/secrets")
    outcome = nobodys.run(inside=COMPOSE, user=AS_NOBODY, serve=False, environ=environ)
    assert any("in Docker: mode: 0400 and uid:" in fault for fault in outcome.check["faults"])


def test_a_kubernetes_secret_of_the_pod_s_group(nobodys: Place) -> None:
    inside, environ = KUBERNETES.replace("MODE", "0440"), keys(f"{nobodys.directory}/mounted")
    assert passes(nobodys.run(inside=inside, user=IN_THE_GROUP, serve=False, environ=environ))


def test_a_kubernetes_secret_of_the_default_mode_is_refused_with_its_setting(
    nobodys: Place,
) -> None:
    inside, environ = KUBERNETES.replace("MODE", "0644"), keys(f"{nobodys.directory}/mounted")
    outcome = nobodys.run(inside=inside, user=IN_THE_GROUP, serve=False, environ=environ)
    assert any("defaultMode: 0440" in fault for fault in outcome.check["faults"])


def test_a_credential_of_systemd(nobodys: Place) -> None:
    mounted = f"{nobodys.directory}/mounted"
    environ = keys(mounted) | {"CREDENTIALS_DIRECTORY": mounted}
    assert passes(nobodys.run(inside=SYSTEMD, user=AS_NOBODY, serve=False, environ=environ))


def test_a_home_below_a_volume_of_the_pod_s_group(nobodys: Place) -> None:
    environ = {"STRONGROOM_HOME": f"{nobodys.directory}/volume/strongroom"}
    assert passes(nobodys.run(inside=VOLUME, user=IN_THE_GROUP, serve=False, environ=environ))
