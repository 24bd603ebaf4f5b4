"""What only the kernel gives: filters, notifications, another process's memory. By ctypes.

Documentation/userspace-api/seccomp_filter.rst and the manual pages seccomp_unotify(2), prctl(2),
process_vm_readv(2), pidfd_getfd(2) say what is done here. All raise OSError.
"""

import ctypes
import errno
import os
import struct
from fcntl import ioctl

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SECCOMP = {"x86_64": 317, "aarch64": 277}
PIDFD_OPEN, PIDFD_GETFD = 434, 438
SET_MODE_FILTER = 1
NEW_LISTENER, WAIT_KILLABLE = 1 << 3, 1 << 5
RECEIVE, SEND, SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
CONTINUE, SYNC_WAKE_UP = 1, 1
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
"""id, thread, flags, call, architecture, instruction pointer, six arguments."""
ANSWER = struct.Struct("=QqiI")
"""id, value, minus the error's number, flags."""
NOTHING = bytes(NOTIFICATION.size)
PAGE = os.sysconf("SC_PAGE_SIZE")
MOST = 4096
"""PATH_MAX: bytes of the longest path that a call takes."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)
_readv = _libc.process_vm_readv
_readv.restype = ctypes.c_ssize_t
_readv.argtypes = (
    ctypes.c_int,
    *(ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong),
)
_buffer = ctypes.create_string_buffer(2 * MOST)
_view = memoryview(_buffer).cast("B")
_here, _there = _Vector(ctypes.addressof(_buffer), 0), _Vector(0, 0)
_here_at, _there_at = ctypes.addressof(_here), ctypes.addressof(_there)


def _call(name: str, *arguments: int) -> int:
    result = int(getattr(_libc, name)(*(ctypes.c_long(one) for one in arguments)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def memory(thread: int, address: int, length: int) -> bytes:
    """So many bytes of another process, fewer where its memory ends."""
    _here.length = _there.length = length
    _there.base = address
    count = _readv(thread, _here_at, 1, _there_at, 1, 0)
    if count < 0:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
    return bytes(_view[:count])


def text(thread: int, address: int) -> bytes:
    """The bytes up to the next null byte, in steps that never cross into an unmapped page."""
    found = b""
    step = min(256, PAGE - address % PAGE)
    while len(found) < MOST:
        piece = memory(thread, address, step)
        end = piece.find(b"\0")
        if end >= 0:
            return found + piece[:end] if found else piece[:end]
        if not piece:
            break
        found += piece
        address += len(piece)
        step = PAGE - address % PAGE
    return found


def adopt_orphans() -> None:
    """Processes below whose parent has ended become children of this one."""
    _call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: int) -> None:
    """The kernel sends this signal when the parent has ended."""
    _call("prctl", PR_SET_PDEATHSIG, number, 0, 0, 0)


def install(program: bytes, machine: str) -> tuple[int, bool]:
    """Watch this process and all that it will start. Returns the listener's file descriptor.

    And whether programs can gain no rights from here on (`sudo`): that is the price of a filter for
    all but the administrator.
    """
    instructions = _Program(len(program) // 8, program)
    wanted = NEW_LISTENER | WAIT_KILLABLE
    arguments = (SECCOMP[machine], SET_MODE_FILTER, wanted, ctypes.addressof(instructions))
    try:
        return _call("syscall", *arguments), False
    except OSError as error:
        if error.errno != errno.EACCES:
            raise
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return _call("syscall", *arguments), True


def take_descriptor(process: int, number: int) -> int:
    """A copy of another process's file descriptor."""
    handle = _call("syscall", PIDFD_OPEN, process, 0)
    try:
        return _call("syscall", PIDFD_GETFD, handle, number, 0)
    finally:
        os.close(handle)


def wake_on_the_same_core(listener: int) -> None:
    """Hand over at once when a call is answered (Linux 6.6; elsewhere nothing happens)."""
    try:
        ioctl(listener, SET_FLAGS, SYNC_WAKE_UP)
    except OSError:
        return
