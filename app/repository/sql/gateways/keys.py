"""Gateway keys and switches in SQL."""

from sqlalchemy import bindparam, delete, select

from app.domain.gateways.keys import GatewayKey
from app.domain.guarded import Guarded
from app.repository.collections.gateway_keys import GatewayKeyRepository, SwitchRepository
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.guarded_rows import GuardedRows, GuardedTable
from app.repository.sql.tables import gateway_keys, switches

_OFF_SINCE = select(switches.c.off_since_ms).where(switches.c.name == bindparam("of_name"))
_TURN_OFF = InsertUnlessThere(switches)
_TURN_ON = delete(switches).where(switches.c.name == bindparam("of_name"))


class SqlGatewayKeys(GuardedRows[GatewayKey], GatewayKeyRepository):
    """Gateway keys."""

    _table = GuardedTable(gateway_keys, GatewayKey)

    def get(self, key_id: str) -> Guarded[GatewayKey] | None:
        return self._get(key_id)


class SqlSwitches(Collection, SwitchRepository):
    """Switches."""

    def off_since(self, name: str) -> int | None:
        row = self._statements.first(_OFF_SINCE, {"of_name": name})
        return None if row is None else of_types("switches", row, (int,))[0]

    def turn_off(self, name: str, since_ms: int) -> bool:
        parameters = {"name": name, "off_since_ms": since_ms}
        return self._statements.write(_TURN_OFF, parameters) > 0

    def turn_on(self, name: str) -> bool:
        return self._statements.write(_TURN_ON, {"of_name": name}) > 0
