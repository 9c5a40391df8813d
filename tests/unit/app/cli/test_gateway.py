"""``strongroom gateway``: the key that ``init`` makes, more keys, and the switch."""

import stat

from tests.support.terminal import Terminal

KEY_FILE = "gateway.key"


def test_init_makes_a_key_that_only_its_owner_reads(terminal: Terminal) -> None:
    file = terminal.home / KEY_FILE
    (listed,) = terminal.json("gateway", "key", "list")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("gwk_")
    assert listed["id"].removeprefix("gwk_") == file.read_text().split("_")[2]


def test_a_second_init_makes_no_second_key(terminal: Terminal) -> None:
    before = (terminal.home / KEY_FILE).read_text()
    assert terminal.run("init").exit_code == 0
    assert (terminal.home / KEY_FILE).read_text() == before
    assert len(terminal.json("gateway", "key", "list")) == 1


def test_a_file_that_was_moved_to_another_machine_is_not_made_again(terminal: Terminal) -> None:
    (terminal.home / KEY_FILE).unlink()
    assert terminal.run("init").exit_code == 0
    assert not (terminal.home / KEY_FILE).exists()


def test_a_file_whose_key_was_not_stored_yet_is_completed(
    terminal: Terminal,
) -> None:
    with terminal.rows() as rows:
        rows.remove("gateway_keys")
    assert terminal.run("init").exit_code == 0
    (listed,) = terminal.json("gateway", "key", "list")
    assert listed["id"].removeprefix("gwk_") in (terminal.home / KEY_FILE).read_text()


def test_a_file_of_another_deployment_is_replaced(terminal: Terminal) -> None:
    file = terminal.home / KEY_FILE
    kind, deployment, key, secret = file.read_text().strip().split("_")
    file.write_text(f"{kind}_{deployment[::-1]}_{key}_{secret}\n")
    with terminal.rows() as rows:
        rows.remove("gateway_keys")
    assert terminal.run("init").exit_code == 0
    assert f"_{deployment}_" in file.read_text()
    assert len(terminal.json("gateway", "key", "list")) == 1


def test_a_file_that_others_may_read_is_refused(terminal: Terminal) -> None:
    (terminal.home / KEY_FILE).chmod(0o644)
    refused = terminal.run("init")
    assert refused.exit_code == 3
    assert refused.stderr.startswith("strongroom: STRONGROOM_GATEWAY_KEY_FILE: the file must ")


def test_more_keys_are_made_and_revoked(terminal: Terminal) -> None:
    made = terminal.json("gateway", "key", "create", "--name", "another machine")
    assert made["key"].startswith("gwk_")
    terminal.json("gateway", "key", "revoke", made["id"])
    states = {each["name"]: each["state"] for each in terminal.json("gateway", "key", "list")}
    assert states == {"gateway.key": "live", "another machine": "revoked"}


def test_the_switch_says_what_it_changed(terminal: Terminal) -> None:
    said = [terminal.run("gateway", each).stderr for each in ("start", "stop", "stop", "start")]
    assert [line.removeprefix("strongroom: ").strip() for line in said] == [
        "it was not stopped.",
        "stopped all gateway traffic.",
        "it was stopped already.",
        "gateway traffic is admitted again.",
    ]


def test_the_gateway_does_not_start_without_a_url(terminal: Terminal) -> None:
    refused = terminal.run("gateway")
    assert refused.exit_code == 3
    assert "STRONGROOM_GATEWAY_URL" in refused.stderr
