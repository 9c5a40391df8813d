"""A process that writes secrets and says so after each commit, until it is killed.

Usage: ``python -m tests.contract.repository.acknowledging_writer URL FIRST_NUMBER``.
"""

import sys
from itertools import count

from app.repository.connect import connect
from tests.contract.repository import rows


def main(url: str, first: int) -> None:
    """Add secrets two by two, and print the number of each pair once it is durable."""
    database = connect(url)
    for number in count(first, 2):
        with database.writing() as work:
            work.secrets.add(rows.secret(number))
            work.secrets.add(rows.secret(number + 1))
            work.commit()
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
