"""Owns which calls into the kernel are refused in isolation, beyond what the walls around it keep out.

A submission needs no namespaces, mounts or tracing, and no memory that no limit counts. The list is one of
what is refused: it makes the walls thicker, they do not stand on it.
"""

from __future__ import annotations

import platform
import struct

#: The kernel's number of an architecture, its number of `clone`, and the numbers of what is refused.
MACHINES = {
    "x86_64": (
        0xC000003E,
        56,
        {
            "semget": 64, "shmget": 29, "msgget": 68, "ptrace": 101, "pivot_root": 155, "mount": 165,
            "umount2": 166, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
            "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
            "process_vm_writev": 311, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
        },
    ),
    "aarch64": (
        0xC00000B7,
        220,
        {
            "umount2": 39, "mount": 40, "pivot_root": 41, "unshare": 97, "ptrace": 117, "msgget": 186,
            "semget": 190, "shmget": 194, "add_key": 217, "request_key": 218, "keyctl": 219,
            "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270,
            "process_vm_writev": 271, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
        },
    ),
}  # fmt: skip
#: What is refused with the same number on every machine.
EVERYWHERE = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
    "memfd_secret": 447,
}  # fmt: skip
CLONE3 = 435

_ALLOW, _KILL, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
_LOAD, _RETURN, _AND, _EQUAL, _AT_LEAST = 0x20, 0x06, 0x54, 0x15, 0x35
_NEW_USER = 0x10000000


def program(machine=None):
    """Return the filter as bubblewrap takes it, or None for a machine whose numbers are not known.

    Parameters
    ----------
    machine : str, optional
        As `platform.machine` says it, which is the default.

    Returns
    -------
    bytes or None
    """
    numbers = MACHINES.get(machine or platform.machine())
    if numbers is None:
        return None
    architecture, clone, refused = numbers
    # A program for another architecture has other numbers: it is killed.
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    lines += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE)]
    for number in sorted([*refused.values(), *EVERYWHERE.values()]):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    # Flags of clone3 lie in memory, where a filter cannot look; who is told that there is none takes clone.
    lines += [(_EQUAL, 0, 1, CLONE3), (_RETURN, 0, 0, _UNKNOWN)]
    lines += [(_EQUAL, 1, 0, clone), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_LOAD, 0, 0, 16), (_AND, 0, 0, _NEW_USER), (_EQUAL, 0, 1, 0)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
