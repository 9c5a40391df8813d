"""Acknowledged writes survive the death of the process that made them."""

import random
import subprocess
import sys
from pathlib import Path

from app.domain.secrets import SecretFilter
from app.repository.base import Database
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase

ROOT = Path(__file__).parents[3]
EVERYTHING = SecretFilter()


def write_until_killed(url: str, first: int, acknowledgements: int) -> list[int]:
    """The pairs that a process acknowledged before it was killed in the middle of its work."""
    command = [sys.executable, "-m", f"{__package__}.acknowledging_writer", url, str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(acknowledgements)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().splitlines(keepends=False)]
    return acknowledged


def test_no_acknowledged_write_is_lost_or_half_there_when_its_writer_is_killed(
    database: Database, case: DatabaseCase, *, proving: bool
) -> None:
    kills, acknowledgements = (50, 10_000) if proving else (3, 60)
    moments = random.Random(0)
    acknowledged: list[int] = []
    for kill in range(kills):
        at_least = acknowledgements // kills + moments.randrange(20)
        acknowledged += write_until_killed(case.url, 1 + kill * 100_000, at_least)
    with database.reading() as repository:
        page = repository.secrets.page(rows.OURS, EVERYTHING, 100_000, None)
    numbers = {secret.create_time_ms for secret in page}
    assert numbers >= {each for number in acknowledged for each in (number, number + 1)}
    assert all(number + 1 in numbers for number in numbers if number % 2)
    assert all(number - 1 in numbers for number in numbers if not number % 2)
