"""A server whose writes and syncs fail, or end it, when the test says so."""
import ctypes
import errno
import mmap
import os
import tempfile
import uuid

from link import Server

SHIM = os.environ["ZPROC_FAULT_SHIM"]
WRITE, SYNC = 1, 2
POWER = 1, 2, 3
FAIL, FAIL_HALF, KILL_BEFORE, KILL_HALF, KILL_AFTER = 1, 2, 3, 4, 5


class Control(ctypes.Structure):
    """As in shim.c."""
    _fields_ = [(name, ctypes.c_int32) for name in ("call", "action", "error", "skip", "struck", "power", "next")] + [
        ("files", ctypes.c_int64 * 2 * 128)]


class FaultyServer(Server):
    def __init__(self, *arguments, **options):
        self.control_file = tempfile.NamedTemporaryFile(prefix="zproc-fault-")
        self.control_file.truncate(mmap.PAGESIZE)
        self.map = mmap.mmap(self.control_file.fileno(), mmap.PAGESIZE)
        self.control = Control.from_buffer(self.map)
        self.boot_file = tempfile.NamedTemporaryFile("w", prefix="zproc-boot-")
        self.boot()
        environment = {"LD_PRELOAD": SHIM, "ZPROC_FAULT_CONTROL": self.control_file.name,
                       "ZPROC_FAULT_BOOT": self.boot_file.name,
                       "ASAN_OPTIONS": "verify_asan_link_order=0"}
        super().__init__(*arguments, environment=environment, **options)

    def strike(self, call, action, skip=0, error=errno.EIO):
        self.control.call = 0
        self.control.action, self.control.skip, self.control.error, self.control.struck = action, skip, error, 0
        self.control.call = call

    def boot(self):
        """The machine comes up again: it has another boot id."""
        self.boot_file.seek(0)
        self.boot_file.write("%s\n" % uuid.uuid4())
        self.boot_file.flush()

    def synced(self, name):
        """Bytes of the folder's file that are on the disk, as far as the shim knows."""
        number = os.stat(self.folder + "/" + name).st_ino
        return next((synced for file, synced in self.control.files if file == number), None)

    def heal(self):
        self.control.call = 0
