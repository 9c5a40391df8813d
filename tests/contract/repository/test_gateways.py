"""Gateway configs, tokens and uses: stored whole, listed newest first, found by their account."""

from dataclasses import replace

import pytest

from app.domain.access.name_limits import NameLimit
from app.domain.gateways.configs import ConfigFilter
from app.domain.gateways.credentials import AuthMechanism, AuthType, CustomHeader, dump_headers
from app.domain.gateways.rules import Rule, dump_rules
from app.domain.gateways.tokens import TokenFilter, TokenLimits, TokenPin, TokenState
from app.repository.base import Conflict, Database
from app.repository.collections.batches import Batch
from tests.contract.repository import rows


def add_configs(database: Database, *numbers: int, account_id: str = rows.OURS) -> None:
    with database.writing() as work:
        for number in numbers:
            work.gateway_configs.add(rows.gateway_config(number, account_id))
        work.commit()


def add_tokens(database: Database, *numbers: int, account_id: str = rows.OURS) -> None:
    with database.writing() as work:
        for number in numbers:
            work.gateway_tokens.add(rows.gateway_token(number, account_id))
        work.commit()


def add_uses(database: Database, *numbers: int, account_id: str = rows.OURS) -> None:
    with database.writing() as work:
        for number in numbers:
            work.gateway_uses.add(rows.gateway_use(number, account_id))
        work.commit()


def test_a_config_is_stored_as_it_was_given(database: Database) -> None:
    config = rows.gateway_config(
        description="several\nlines, é",
        endpoint="https://api.example.com:8443/base",
        auth=AuthMechanism(AuthType.HEADER, "x-api-key"),
        custom_headers=dump_headers(
            [CustomHeader("x-org", value="us"), CustomHeader("x-key", "sec_1", "NAME_1")]
        ),
        allow=dump_rules([Rule(("GET", "POST"), "/v1/**")]),
        deny=dump_rules([Rule((), "/v1/keys")]),
        secrets=NameLimit(("NAME_1", "PREFIX*")),
        deny_query=("key", "access_token"),
        scrub=False,
    )
    with database.writing() as work:
        work.gateway_configs.add(config)
        work.commit()
    with database.reading() as repository:
        assert repository.gateway_configs.get(rows.OURS, "gwc_0001") == config
        assert repository.gateway_configs.named(rows.OURS, "config 1") == config


def test_another_accounts_config_is_not_there(database: Database) -> None:
    add_configs(database, 1, account_id=rows.THEIRS)
    with database.reading() as repository:
        configs = repository.gateway_configs
        assert configs.get(rows.OURS, "gwc_0001") is None
        assert configs.named(rows.OURS, "config 1") is None
        assert configs.page(rows.OURS, ConfigFilter(), None, 10) == Batch([], None)
        assert configs.count(rows.OURS, ConfigFilter()) == 0


def test_configs_are_paged_newest_first(database: Database) -> None:
    add_configs(database, 2, 1, 3)
    with database.reading() as repository:
        first = repository.gateway_configs.page(rows.OURS, ConfigFilter(), None, 2)
        rest = repository.gateway_configs.page(rows.OURS, ConfigFilter(), first.after, 2)
    assert first == Batch([rows.gateway_config(3), rows.gateway_config(2)], ("gwc_0002",))
    assert rest == Batch([rows.gateway_config(1)], None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ConfigFilter(id="gwc_0002"), 1),
        (ConfigFilter(name="fig"), 3),
        (ConfigFilter(name="FIG 2"), 1),
        (ConfigFilter(name="%"), 0),
        (ConfigFilter(search="FIG 2"), 1),
        (ConfigFilter(search="gwc_0003"), 1),
        (ConfigFilter(search="gwc_000"), 0),
        (ConfigFilter(id="gwc_0002", search="fig 3"), 0),
    ],
)
def test_a_filter_selects_by_id_and_by_a_part_of_the_name(
    database: Database, wanted: ConfigFilter, found: int
) -> None:
    add_configs(database, 1, 2, 3)
    with database.reading() as repository:
        assert len(repository.gateway_configs.page(rows.OURS, wanted, None, 10).rows) == found
        assert repository.gateway_configs.count(rows.OURS, wanted) == found


def test_a_name_is_taken_once_in_an_account(database: Database) -> None:
    add_configs(database, 1, 2)
    add_configs(database, 1, account_id=rows.THEIRS)
    with database.writing() as work, pytest.raises(Conflict):
        work.gateway_configs.add(rows.gateway_config(3, name="config 1"))
    with database.writing() as work, pytest.raises(Conflict):
        work.gateway_configs.replace(rows.gateway_config(2, name="config 1"))
    with database.reading() as repository:
        assert repository.gateway_configs.get(rows.OURS, "gwc_0002") == rows.gateway_config(2)


def test_a_replaced_and_a_deleted_config_are_seen_elsewhere_at_once(
    database: Database, elsewhere: Database
) -> None:
    add_configs(database, 1, 2)
    changed = rows.gateway_config(name="another", scrub=False, version=2)
    with database.writing() as work:
        work.gateway_configs.replace(changed)
        work.gateway_configs.delete(rows.OURS, "gwc_0002")
        work.commit()
    with elsewhere.reading() as repository:
        assert repository.gateway_configs.get(rows.OURS, "gwc_0001") == changed
        assert repository.gateway_configs.get(rows.OURS, "gwc_0002") is None


def test_a_token_is_stored_as_it_was_given(database: Database) -> None:
    token = rows.gateway_token(
        injection_id="inj_1",
        allow=dump_rules([Rule(("GET",), "/v1/*")]),
        limits=TokenLimits(60, 8, 1000),
        sources=("192.0.2.0/24", "2001:db8::/32"),
        pin=TokenPin.FIRST_USE,
        pinned_address="192.0.2.7",
        state=TokenState.REVOKED,
        used=3,
        revoked_at_ms=9,
    )
    with database.writing() as work:
        work.gateway_tokens.add(token)
        work.commit()
    with database.reading() as repository:
        assert repository.gateway_tokens.get(rows.OURS, "gwt_0001") == token


def test_a_token_comes_with_all_that_it_is_granted_by(database: Database) -> None:
    add_configs(database, 1)
    add_tokens(database, 1)
    with database.reading() as repository:
        grant = repository.gateway_tokens.get_grant(rows.OURS, "gwt_0001")
    assert grant == rows.gateway_grant()


def test_a_token_whose_config_was_deleted_comes_without_one(database: Database) -> None:
    add_configs(database, 1, account_id=rows.THEIRS)
    add_tokens(database, 1)
    with database.reading() as repository:
        grant = repository.gateway_tokens.get_grant(rows.OURS, "gwt_0001")
    assert grant == replace(rows.gateway_grant(), config=None)


def test_another_accounts_token_is_not_there(database: Database) -> None:
    add_tokens(database, 1, account_id=rows.THEIRS)
    with database.reading() as repository:
        tokens = repository.gateway_tokens
        assert tokens.get(rows.OURS, "gwt_0001") is None
        assert tokens.get_grant(rows.OURS, "gwt_0001") is None
        assert tokens.page(rows.OURS, TokenFilter(), None, 10) == Batch([], None)
        assert tokens.count_live(rows.OURS, [rows.API_KEY], 1) == 0


def test_a_replaced_token_is_seen_elsewhere_at_once(
    database: Database, elsewhere: Database
) -> None:
    add_tokens(database, 1, 2)
    revoked = rows.gateway_token(
        state=TokenState.REVOKED, revoked_at_ms=5, used=2, pinned_address="192.0.2.1"
    )
    with database.writing() as work:
        work.gateway_tokens.replace(revoked)
        work.commit()
    with elsewhere.reading() as repository:
        assert repository.gateway_tokens.get(rows.OURS, "gwt_0001") == revoked
        assert repository.gateway_tokens.get(rows.OURS, "gwt_0002") == rows.gateway_token(2)


def test_tokens_are_listed_by_box_by_config_and_by_key(database: Database) -> None:
    with database.writing() as work:
        work.api_keys.add(rows.api_key(key_id="key_2"))
        work.gateway_tokens.add(rows.gateway_token(1))
        work.gateway_tokens.add(rows.gateway_token(2, devbox_id="dbx_2"))
        work.gateway_tokens.add(rows.gateway_token(3, config_id="gwc_0002"))
        work.gateway_tokens.add(rows.gateway_token(4, api_key_id="key_2"))
        work.commit()

    def listed(wanted: TokenFilter) -> list[str]:
        with database.reading() as repository:
            batch = repository.gateway_tokens.page(rows.OURS, wanted, None, 10)
        return [str(row.unverified.id) for row in batch.rows]  # type: ignore[union-attr]

    assert listed(TokenFilter()) == ["gwt_0004", "gwt_0003", "gwt_0002", "gwt_0001"]
    assert listed(TokenFilter(devbox_id="dbx_2")) == ["gwt_0002"]
    assert listed(TokenFilter(config_id="gwc_0002")) == ["gwt_0003"]
    assert listed(TokenFilter(api_key_id="key_2")) == ["gwt_0004"]
    assert listed(TokenFilter(api_key_id="key_2", devbox_id="dbx_2")) == []


def test_only_live_tokens_of_the_keys_are_counted(database: Database) -> None:
    with database.writing() as work:
        work.api_keys.add(rows.api_key(key_id="key_2"))
        work.gateway_tokens.add(rows.gateway_token(1))
        work.gateway_tokens.add(rows.gateway_token(2, expires_at_ms=10))
        work.gateway_tokens.add(rows.gateway_token(3, state=TokenState.REVOKED))
        work.gateway_tokens.add(rows.gateway_token(4, api_key_id="key_2"))
        work.commit()
    with database.reading() as repository:
        count = repository.gateway_tokens.count_live
        assert count(rows.OURS, [rows.API_KEY], 10) == 1
        assert count(rows.OURS, [rows.API_KEY, "key_2"], 10) == 2
        assert count(rows.OURS, [rows.API_KEY], 9) == 2


def test_a_use_is_stored_and_its_end_is_added(database: Database) -> None:
    add_uses(database, 1)
    ended = rows.gateway_use(status=200, bytes_in=5, bytes_out=2**40, milliseconds=12, scrub_hits=1)
    with database.writing() as work:
        assert work.gateway_uses.get(rows.OURS, "gwu_0001") == rows.gateway_use()
        work.gateway_uses.replace(ended)
        work.commit()
    with database.reading() as repository:
        assert repository.gateway_uses.get(rows.OURS, "gwu_0001") == ended


def test_uses_are_listed_newest_first_for_an_account_or_a_token(database: Database) -> None:
    add_uses(database, 1, 2, 3)
    add_uses(database, 1, account_id=rows.THEIRS)
    other = rows.gateway_use(4, token_id="gwt_0002")
    with database.writing() as work:
        work.gateway_uses.add(other)
        work.commit()
    with database.reading() as repository:
        first = repository.gateway_uses.page(rows.OURS, None, None, 2)
        rest = repository.gateway_uses.page(rows.OURS, None, first.after, 2)
        of_token = repository.gateway_uses.page(rows.OURS, "gwt_0002", None, 2)
    assert first.rows == [other, rows.gateway_use(3)]
    assert rest.rows == [rows.gateway_use(2), rows.gateway_use(1)]
    assert of_token.rows == [other]


def test_tokens_and_uses_that_ended_are_deleted_oldest_first(database: Database) -> None:
    with database.writing() as work:
        for number in (1, 2, 3):
            work.gateway_tokens.add(rows.gateway_token(number, expires_at_ms=number))
            work.gateway_uses.add(rows.gateway_use(number))
        for collection in (work.gateway_tokens, work.gateway_uses):
            assert not collection.has_ended(rows.OURS, 0)
            assert collection.has_ended(rows.OURS, 1)
            assert collection.delete_ended(rows.OURS, 2, 1) == 1
            assert collection.delete_ended(rows.OURS, 2, 10) == 1
            assert not collection.has_ended(rows.OURS, 2)
        assert work.gateway_tokens.get(rows.OURS, "gwt_0003") is not None
        assert work.gateway_uses.get(rows.OURS, "gwu_0003") is not None


def test_a_key_that_a_token_names_is_not_deleted(database: Database) -> None:
    with database.writing() as work:
        work.api_keys.add(rows.api_key(key_id="key_2"))
        work.gateway_tokens.add(rows.gateway_token())
        assert work.api_keys.delete_unused(rows.OURS, [rows.API_KEY, "key_2"]) == 1
        assert work.api_keys.get(rows.OURS, rows.API_KEY) is not None
