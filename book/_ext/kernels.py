"""Managers of kernels that may start side by side, for the build, `make notebooks` and nbval.

A kernel that listens at ports is told numbers that were free a moment before. When two start at once, or
anything else opens a connection, another may have taken one. A socket that is a file has a name of its own.
"""

import os
import tempfile

from jupyter_client.manager import AsyncKernelManager, KernelManager
from traitlets import HasTraits, default

SOCKETS_ARE_FILES = os.name == "posix"


class OwnSockets(HasTraits):
    """Lets a kernel listen at files in a folder of its own, where the system has such sockets."""

    _sockets = None

    @default("transport")
    def _transport_default(self):
        return "ipc" if SOCKETS_ARE_FILES else "tcp"

    @default("ip")
    def _ip_default(self):
        if self.transport != "ipc":
            return "127.0.0.1"
        self._sockets = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        return f"{self._sockets.name}/at"  # short: a socket's path has at most 104 characters on some systems

    def cleanup_ipc_files(self):
        super().cleanup_ipc_files()
        if self._sockets is not None:
            self._sockets.cleanup()


class BlockingManager(OwnSockets, KernelManager):
    pass


class AsyncManager(OwnSockets, AsyncKernelManager):
    pass


def side_by_side() -> int:
    """How many kernels may run at once: one a core."""
    if not SOCKETS_ARE_FILES:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
