"""Histories of concurrent clients, some of them killed. ZPROC_HISTORY_SECONDS: how long (default 2)."""
import unittest

from link import Server
from record import record
from study import EXTRA, SECONDS, Studied


class History(Studied):
    def test_clients_killed(self):
        server = Server("--log-limit", "1GiB")
        self.addCleanup(server.remove)
        self.study(server, *record(server.path, self.folder.name, SECONDS, kill_clients=20, extra=EXTRA))
        self.assertEqual(server.stop(), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
