"""Many at once: 10,000 watches on other keys, and 10,000 on one."""
import resource

from peer import Case, Client, main, until, zmq

WATCHES = 10000
CONNECTIONS = 500
EACH = WATCHES // CONNECTIONS


class Many(Case):
    def watchers(self, key):
        """WATCHES parked watches over CONNECTIONS connections; key is told the number of each."""
        self.c = self.client()
        context = zmq.Context(io_threads=1)
        context.set(zmq.MAX_SOCKETS, 4096)
        self.addCleanup(context.term)
        self.addCleanup(self.part)
        self.w = []
        for i in range(CONNECTIONS):
            watcher = Client(self.server.address, context=context, rcvhwm=0)
            self.clients.append(watcher)
            self.w.append(watcher)
            for j in range(EACH):
                watcher.send("watch", keys=[key(i * EACH + j)], live=True, want="value")
        until(lambda: self.c.stats()["waits"] == WATCHES)

    def part(self):
        for client in self.clients:
            client.close()

    def test_other_keys(self):
        self.watchers(lambda i: "k%d" % i)
        for i in range(1000):
            self.c.call("set", i, key="other")
        self.assertEqual(self.c.stats()["waits"], WATCHES)
        for i in range(WATCHES):
            self.c.call("set", i, key="k%d" % i)
        for i, watcher in enumerate(self.w):
            got = [watcher.receive() for _ in range(EACH)]
            self.assertEqual([(g["key"], g["value"]) for g in got],
                             [("k%d" % n, n) for n in range(i * EACH, (i + 1) * EACH)])
        self.assertEqual(self.c.stats()["waits"], 0)

    def test_one_key(self):
        self.watchers(lambda i: "k")
        rev = self.c.call("set", 1, key="k")["rev"]
        for watcher in self.w:
            for j in range(EACH):
                got = watcher.receive(j + 1)
                self.assertEqual((got["rev"], got["value"]), (rev, 1))
        self.assertEqual(self.c.stats()["waits"], 0)

    def test_departing(self):
        self.watchers(lambda i: "k")
        for _ in range(100):
            short = Client(self.server.address)
            short.call("ping")
            short.close()
        for watcher in self.w:
            watcher.close()
        until(lambda: self.c.stats()["waits"] == 0)
        until(lambda: self.c.stats()["peers"] == 0)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
