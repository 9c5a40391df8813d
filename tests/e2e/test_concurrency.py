"""Many at once: one wins, and all are answered."""

from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller

import pytest

from app.services.container import Services
from tests.e2e.account import Account
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

_CLIENTS = 32


@pytest.mark.timeout(1800)
def test_of_many_that_create_one_name_at_once_exactly_one_wins(
    server: Strongroom, operator: Services, account: Account, *, proving: bool
) -> None:
    rounds = 1000 if proving else 100
    accounts = [
        Account(account.url, account.id, account.api_key_id, account.token) for _ in range(_CLIENTS)
    ]
    with ThreadPoolExecutor(_CLIENTS) as pool:
        for number in range(rounds):
            name = f"NAME_{number}"
            answers = list(pool.map(methodcaller("create", name), accounts))
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses == [200] + [400] * (_CLIENTS - 1)
            codes = {answer.json()["code"] for answer in answers if answer.status_code == 400}
            assert codes == {"secret_name_exists"}
    assert sorted(account.names()) == sorted(f"NAME_{number}" for number in range(rounds))
