"""Whom a watched process talks to: the network, itself, or another process of this machine."""

import os
from contextlib import suppress

from mlpipe_ci.tracing.seccomp.call_context import GO_ON, Arguments, Call, Verdict
from mlpipe_ci.tracing.seccomp.kernel import memory

UNIX, INET, INET6, VSOCK = 1, 2, 10, 40
LONGEST = 128
UNIX_COLUMNS = 8
LISTENS = "0A"
NAMES = 53
HARMLESS = (
    *("/var/run/nscd", "/run/nscd", "/run/systemd", "/var/run/systemd", "/dev/log"),
    *("/run/dbus", "/var/run/dbus", "/tmp/.X11-unix"),  # noqa: S108
)
"""Sockets of services that open no data file for those who ask."""


class NetworkCalls:
    """`network`: addresses of other machines that were talked to. `faults`: why something may be
    missed: another process may have opened files for the step.
    """

    def __init__(self) -> None:
        self.network: dict[str, None] = {}
        self.faults: dict[str, None] = {}
        self._judged: dict[bytes, str] = {}

    def calls(self) -> dict[str, Call]:
        """The calls that are looked at here."""
        return {
            "connect": (self._connect, (1, 2)),
            "sendto": (self._connect, (4, 5)),
            "sendmsg": (self._send, ()),
            "sendmmsg": (self._send, ()),
        }

    def _connect(self, thread: int, arguments: Arguments, address: int, length: int) -> Verdict:
        return self._talks(thread, arguments[address], arguments[length])

    def _send(self, thread: int, arguments: Arguments) -> Verdict:
        header = memory(thread, arguments[1], 12)
        address, length = int.from_bytes(header[:8], "little"), int.from_bytes(header[8:], "little")
        return self._talks(thread, address, length) if address and length else GO_ON

    def _talks(self, thread: int, address: int, length: int) -> Verdict:
        name = memory(thread, address, min(length & 0xFFFFFFFF, LONGEST))
        fault = self._fault(thread, name)
        if fault:
            self.faults[fault] = None
        return GO_ON

    def _fault(self, thread: int, name: bytes) -> str:
        """Why a `struct sockaddr` means that something may be missed; empty if it does not."""
        family = int.from_bytes(name[:2], "little")
        if family == UNIX:
            return self._judge(thread, name, self._of_unix)
        if family == INET:
            address, local = ".".join(map(str, name[4:8])), name[4:5] in {b"\x7f", b"\0"}
        elif family == INET6:
            plain = name[8:24]
            mapped = plain[:12] == b"\0" * 10 + b"\xff\xff"
            local = plain[:15] == b"\0" * 15 or (mapped and plain[12:13] == b"\x7f")
            address = plain.hex(":", 2)
        elif family == VSOCK:
            address, local = "another machine (vsock)", False
        else:
            return ""  # the kernel itself, or a connection that is given up
        if family in {INET, INET6} and int.from_bytes(name[2:4], "big") == NAMES:
            return ""  # a question for an address: who is talked to then is seen
        if local:
            return self._judge(thread, name, self._of_port)
        self.network[address] = None
        return ""

    def _judge(self, thread: int, name: bytes, judge: "Judge") -> str:
        if not self._judged.get(name):  # a listener may have come since
            self._judged[name] = judge(thread, name)
        return self._judged[name]

    def _of_unix(self, thread: int, name: bytes) -> str:
        path = os.fsdecode(name[2:].rstrip(b"\0"))
        shown = path.replace("\0", "@")
        if path.startswith(HARMLESS) or (path[:1] == "/" and not os.path.exists(path)):
            return ""
        inodes = {
            words[6]
            for words in _rows(f"/proc/{thread}/net/unix", UNIX_COLUMNS)
            if len(words) == UNIX_COLUMNS and words[-1] == shown
        }
        return self._owned(inodes, f"the socket {shown}")

    def _of_port(self, thread: int, name: bytes) -> str:
        port = int.from_bytes(name[2:4], "big")
        if port in {0, NAMES}:
            return ""
        inodes = {
            words[9]
            for table in ("tcp", "tcp6")
            for words in _rows(f"/proc/{thread}/net/{table}")
            if words[3] == LISTENS and int(words[1].rpartition(":")[2], 16) == port
        }
        return self._owned(inodes, f"port {port}") if inodes else ""

    def _owned(self, inodes: set[str], where: str) -> str:
        """Nothing to say if a process of the step itself listens there."""
        wanted = {f"socket:[{inode}]" for inode in inodes}
        if any(_descends(process) for process in _holders(wanted)):
            return ""
        return f"it talks to another process of this machine ({where}), which is not watched"


from collections.abc import Callable, Iterator  # noqa: E402

Judge = Callable[[int, bytes], str]


def _rows(path: str, columns: int = -1) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as table:
            lines = table.read().splitlines()[1:]
    except OSError:
        return []
    return [line.split(maxsplit=max(columns - 1, -1)) for line in lines]


def _holders(sockets: set[str]) -> Iterator[int]:
    """Processes that hold one of the sockets."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                descriptors = (f"/proc/{name}/fd/{fd}" for fd in os.listdir(f"/proc/{name}/fd"))
                if any(_link(path) in sockets for path in descriptors):
                    yield int(name)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _descends(process: int) -> bool:
    """True if a process is one of those below this one."""
    own = os.getpid()
    while process > 1:
        if process == own:
            return True
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                process = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return False
