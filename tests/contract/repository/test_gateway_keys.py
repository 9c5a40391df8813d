"""Gateway keys and switches, on every database."""

import pytest

from app.domain.errors import TamperedRow
from app.repository.base import Conflict, Database
from app.repository.sql.tables import switches
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase

pytestmark = pytest.mark.operator  # gateways' keys and switches are an operator's


def test_a_key_is_read_as_it_was_written(database: Database, elsewhere: Database) -> None:
    revoked = rows.gateway_key(revoked_at_ms=2)
    with database.writing() as work:
        work.gateway_keys.add(rows.gateway_key())
        work.gateway_keys.add(rows.gateway_key(2))
        work.gateway_keys.replace(revoked)
        work.commit()
    with elsewhere.reading() as repository:
        assert repository.gateway_keys.get("gwk_0001") == revoked
        assert repository.gateway_keys.get("gwk_0003") is None
        assert repository.gateway_keys.sweep(None, 10).rows == [revoked, rows.gateway_key(2)]


def test_an_id_is_stored_once(database: Database) -> None:
    with database.writing() as work:
        work.gateway_keys.add(rows.gateway_key())
        with pytest.raises(Conflict):
            work.gateway_keys.add(rows.gateway_key(name="another"))


def test_a_switch_is_turned_off_once_and_on_once(database: Database, elsewhere: Database) -> None:
    with database.writing() as work:
        assert work.switches.turn_off("gateway", 5)
        assert not work.switches.turn_off("gateway", 6)
        work.commit()
    with elsewhere.reading() as repository:
        assert repository.switches.off_since("gateway") == 5
        assert repository.switches.off_since("another") is None
    with elsewhere.writing() as work:
        assert work.switches.turn_on("gateway")
        assert not work.switches.turn_on("gateway")
        work.commit()
    with database.reading() as repository:
        assert repository.switches.off_since("gateway") is None


def test_a_switch_without_its_type_is_tampered(database: Database, case: DatabaseCase) -> None:
    with database.writing() as work:
        work.switches.turn_off("gateway", 5)
        work.commit()
    if not case.can_hold(switches.c.off_since_ms, "never"):
        pytest.skip("the type of the column cannot hold another value")
    case.loosen("switches")
    case.execute("UPDATE switches SET off_since_ms = 'never'")
    with database.reading() as repository, pytest.raises(TamperedRow):
        repository.switches.off_since("gateway")
