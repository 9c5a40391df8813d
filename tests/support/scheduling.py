"""Which tests stay together when several workers share them out."""

from xdist.scheduler import LoadScopeScheduling

_ONE_BY_ONE = (
    "tests/contract/key_provider/test_availability.py",
    "tests/e2e/environments/",
    "tests/e2e/keys/test_cut_off.py",
    "tests/e2e/keys/test_live_nodes.py",
    "tests/e2e/test_backlog.py",
    "tests/e2e/test_backups.py",
    "tests/e2e/test_endings.py",
    "tests/e2e/test_restarts.py",
    "tests/e2e/test_stalled_log.py",
    "tests/unit/app/cli/test_db_copy.py",
    "tests/unit/app/cli/test_full_disk.py",
    "tests/unit/app/cli/test_interrupted_restore.py",
    "tests/unit/app/client/test_run_terminal.py",
    "tests/unit/app/services/keys/test_overlapping_moves.py",
    "tests/unit/app/services/test_edited_lookups.py",
    "tests/unit/backends/aws_kms/test_sources.py",
)
"""Long modules whose tests share no server. A worker with all of one would be the last to end."""


class ByModule(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps the tests of a module together, with the servers that they share.

    ``--dist=loadgroup`` would do, but the groups of xdist 3.8 have no effect with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(_ONE_BY_ONE) else nodeid.partition("::")[0]
