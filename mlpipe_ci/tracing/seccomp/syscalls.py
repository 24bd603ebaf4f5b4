"""The system calls that are watched: their numbers, and the BPF program that picks them out. Pure.

Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
"""

import struct

X86_64, AARCH64 = "x86_64", "aarch64"
ARCHES = {X86_64: 0xC000003E, AARCH64: 0xC00000B7}
"""AUDIT_ARCH_* of include/uapi/linux/audit.h."""
NUMBERS = {
    X86_64: {
        "open": 2,
        "stat": 4,
        "lstat": 6,
        "access": 21,
        "connect": 42,
        "sendto": 44,
        "sendmsg": 46,
        "clone": 56,
        "execve": 59,
        "truncate": 76,
        "chdir": 80,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "creat": 85,
        "link": 86,
        "unlink": 87,
        "symlink": 88,
        "readlink": 89,
        "mknod": 133,
        "pivot_root": 155,
        "chroot": 161,
        "mount": 165,
        "openat": 257,
        "mkdirat": 258,
        "mknodat": 259,
        "newfstatat": 262,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "symlinkat": 266,
        "readlinkat": 267,
        "faccessat": 269,
        "unshare": 272,
        "open_by_handle_at": 304,
        "getdents64": 217,
        "sendmmsg": 307,
        "setns": 308,
        "renameat2": 316,
        "execveat": 322,
        "statx": 332,
        "open_tree": 428,
        "move_mount": 429,
        "openat2": 437,
        "faccessat2": 439,
        "io_uring_setup": 425,
    },
    AARCH64: {
        "mknodat": 33,
        "mkdirat": 34,
        "unlinkat": 35,
        "symlinkat": 36,
        "linkat": 37,
        "renameat": 38,
        "mount": 40,
        "pivot_root": 41,
        "truncate": 45,
        "faccessat": 48,
        "chdir": 49,
        "chroot": 51,
        "openat": 56,
        "getdents64": 61,
        "readlinkat": 78,
        "newfstatat": 79,
        "unshare": 97,
        "connect": 203,
        "sendto": 206,
        "sendmsg": 211,
        "clone": 220,
        "execve": 221,
        "open_by_handle_at": 265,
        "setns": 268,
        "sendmmsg": 269,
        "renameat2": 276,
        "execveat": 281,
        "statx": 291,
        "open_tree": 428,
        "move_mount": 429,
        "openat2": 437,
        "faccessat2": 439,
        "io_uring_setup": 425,
    },
}
FOREIGN_OPENS = {X86_64: (5, 295), AARCH64: (5, 322)}
"""`open` and `openat` of the 32-bit sister architecture."""
X32_BIT = 0x40000000
AT_EMPTY_PATH = 0x1000
NEW_NAMESPACE = 0x20000 | 0x10000000
"""CLONE_NEWNS and CLONE_NEWUSER: from then on a path may mean another file."""
LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, NOTIFY, REFUSE = 0x7FFF0000, 0x7FC00000, 0x00050000
ENOSYS = 38
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16
"""Offsets in `struct seccomp_data`."""


def program(machine: str) -> bytes:
    """The filter, `struct sock_filter` one after the other (Documentation/userspace-api/seccomp).

    What opens, looks up or changes paths, starts programs or talks to others is stopped;
    io_uring, through which files could be opened unseen, does not exist; all else goes on.
    """
    numbers = NUMBERS[machine]
    first, second = FOREIGN_OPENS[machine]
    foreign = [(LOAD, 0, 0, NUMBER_AT), (EQUAL, 1, 0, first), (EQUAL, 0, 1, second)]
    foreign += [(RETURN, 0, 0, NOTIFY), (RETURN, 0, 0, ALLOW)]
    code = [(LOAD, 0, 0, ARCH_AT), (EQUAL, len(foreign), 0, ARCHES[machine]), *foreign]
    code += [(LOAD, 0, 0, NUMBER_AT), (GREATER, 0, 1, X32_BIT), (RETURN, 0, 0, REFUSE | ENOSYS)]
    for name, number in numbers.items():
        rest = _after(name)
        code += [(EQUAL, 0, len(rest), number), *rest]
    code.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *one) for one in code)


def _after(name: str) -> list[tuple[int, int, int, int]]:
    """What follows if it is this call."""
    if name == "io_uring_setup":
        return [(RETURN, 0, 0, REFUSE | ENOSYS)]
    stop, go_on = (RETURN, 0, 0, NOTIFY), (RETURN, 0, 0, ALLOW)
    if name in {"newfstatat", "statx"}:  # `fstat` by another name is most of the traffic
        flags = ARGUMENTS_AT + 8 * (3 if name == "newfstatat" else 2)
        return [(LOAD, 0, 0, flags), (ANY_BIT, 0, 1, AT_EMPTY_PATH), go_on, stop]
    if name == "clone":
        return [(LOAD, 0, 0, ARGUMENTS_AT), (ANY_BIT, 0, 1, NEW_NAMESPACE), stop, go_on]
    if name == "sendto":  # without an address it goes where `connect` said
        low, high = ARGUMENTS_AT + 8 * 4, ARGUMENTS_AT + 8 * 4 + 4
        return [
            *((LOAD, 0, 0, low), (EQUAL, 0, 3, 0), (LOAD, 0, 0, high), (EQUAL, 0, 1, 0)),
            *(go_on, stop),
        ]
    return [stop]
