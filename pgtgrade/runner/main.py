"""Owns the student's process: it limits itself, and then runs what it is told to.

A request is a message: first {"limits": ..., "serve": ...}, then one {"cell": ...} or {"call": ...} at once.
Each is answered by one message, before which a cell may send any number of outputs.
"""

from __future__ import annotations

import base64
import functools
import io
import math
import os
import signal
import sys
import threading

from . import messages


def main(requests, replies):
    """Serve one submission until the pipe of requests ends.

    Parameters
    ----------
    requests, replies : int
        Descriptors of pipes.
    """
    start, _ = messages.receive(requests)
    limit(**start["limits"])
    # Only now what is large: it counts.
    server = Server(replies, **start["serve"])
    server.send({"ready": True, "to": start["number"]})
    process = os.getpid()
    while (message := messages.receive(requests)) is not None:
        try:
            reply = server.answer(*message)
        except TimeUp as error:
            reply = {"raised": {"type": "TimeoutError", "text": f"no end within {error.args[0]:g} s"}}, b""
        head, blob = reply
        if os.getpid() != process:
            os._exit(0)  # a cell forked, and this is not the process that is asked
        server.send({**head, "to": message[0]["number"]}, blob)
    os._exit(0)


#: What counts the time of a processor, and what that of the clock: a timer, and its signal.
TIMERS = (signal.ITIMER_PROF, signal.SIGPROF), (signal.ITIMER_REAL, signal.SIGALRM)


class TimeUp(KeyboardInterrupt):
    """The end of what a cell or a call may take, in seconds; what a cell raises is a KeyboardInterrupt."""


def limit(memory, processes, file_size, cpu_seconds, user):
    """Set what the kernel enforces; nothing of it can be raised again. Root becomes a user without rights."""
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    # Not everywhere is there such a module, but where the process is isolated there is.
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CPU, math.ceil(cpu_seconds)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


class Server:
    """The shell of a submission and the way back.

    Parameters
    ----------
    replies : int
        A descriptor.
    output : int
        Characters of text that are sent of a cell.
    """

    def __init__(self, replies, output):
        from . import calls

        self._replies, self._output, self._left = replies, output, -1
        self._process, self._lock = os.getpid(), threading.RLock()
        self._armed = self._sending = False
        self._call, self._raised = calls.call, calls.raised
        self._cells = {}
        self._streams = Stream(self, "stdout", 1), Stream(self, "stderr", 2)
        sys.stdout, sys.stderr = self._streams
        self._shell = shell(self)

    def send(self, head, blob=b""):
        """Send a message; it is not interrupted."""
        with self._lock:
            self._sending = True
            messages.send(self._replies, head, blob)
            self._sending = False

    def show(self, output):
        """Send an output of the running cell, as long as there is room."""
        if os.getpid() != self._process:
            return
        for stream in self._streams:
            stream.flush()
        self._show(output)

    def text(self, name, descriptor, text):
        """Send what was printed, as long as there is room."""
        if os.getpid() == self._process:
            self._show({"output_type": "stream", "name": name, "text": text})
        else:
            os.write(descriptor, text.encode(errors="replace"))

    def _show(self, output):
        # One character too many tells the other side, which keeps no more, that something is missing.
        if self._left < 0:
            return
        if "text" in output:
            output = {**output, "text": output["text"][: self._left + 1]}
        parts = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", ())]
        size = sum(map(len, [*parts, *output.get("data", {}).values()]))
        self._left -= size
        if size > 4 * self._output:
            text = f"[an output of {size} characters is left out]\n"
            output = {"output_type": "stream", "name": "stderr", "text": text}
        self.send({"output": output})

    def answer(self, head, blob):
        """Do what a request asks for, and return the reply."""
        try:
            # A cell may have put something else there, or nothing.
            sys.stdout, sys.stderr = self._streams
            self._arm(head["seconds"], head["wall"])
            if "cell" in head:
                return self._run(head["cell"], head["index"])
            return self._call(head["call"], self._shell.user_ns, blob, self._cells)
        except TimeUp:
            raise
        except BaseException as error:
            return {"raised": self._raised(error, self._cells)}, b""
        finally:
            self._armed = False
            for timer, _ in TIMERS:
                signal.setitimer(timer, 0)
            self._left = self._output
            for stream in self._streams:
                stream.flush()
            self._left = -1

    def _run(self, source, index):
        self._left = self._output
        name = f"<cell {index}>"
        # The shell drops empty lines at the top, and counts from what is left.
        above = source[: len(source) - len(source.lstrip())].count("\n")
        self._cells[name] = index, above
        self._shell.compile.name = name
        result = self._shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        after = {"after": error.args[0]} if isinstance(error, TimeUp) else {}
        return {"done": None if error is None else type(error).__name__, **after}, b""

    def _arm(self, *seconds):
        """Set an alarm for the time of a processor, and one for that of the clock."""
        self._armed = True
        for (timer, number), after in zip(TIMERS, seconds, strict=True):
            signal.signal(number, functools.partial(self._alarm, timer, after))
            signal.setitimer(timer, after)

    def _alarm(self, timer, after, *_):
        if self._sending:
            signal.setitimer(timer, 0.05)
        elif self._armed:
            self._armed = False
            raise TimeUp(after)


class Stream(io.TextIOBase):
    """What `print` writes to: a line, or 4096 characters, go at once."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, server, name, descriptor):
        self._server, self._name, self._descriptor, self._parts = server, name, descriptor, []

    def write(self, text):
        """Keep a text, and send what is whole."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._parts.append(text)
        if "\n" in text or sum(map(len, self._parts)) > 4096:
            self.flush()
        return len(text)

    def flush(self):
        """Send what is kept."""
        parts, self._parts = self._parts, []
        if parts:
            self._server.text(self._name, self._descriptor, "".join(parts))

    def writable(self):
        """Say that one may write."""
        return True

    def fileno(self):
        """Return the descriptor for what is no text of this process."""
        return self._descriptor


#: What is shown of a display. Nothing that a browser would run: the lecturer's will show it.
SHOWN = ("text/plain", "image/png", "image/jpeg")


def shell(server):
    """Return IPython's shell, which shows its results, displays and errors through the server."""
    from IPython.core.compilerop import CachingCompiler
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    def shown(data):
        return {
            kind: base64.b64encode(data[kind]).decode() if isinstance(data[kind], bytes) else str(data[kind])
            for kind in SHOWN
            if kind in data
        }

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, **_):
            server.show({"output_type": "display_data", "data": shown(data)})

        def clear_output(self, wait=False):
            pass

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            server.show({"output_type": "execute_result", "data": shown(format_dict)})

        def finish_displayhook(self):
            pass

    class Compiler(CachingCompiler):
        name = "<cell>"

        def get_code_name(self, raw_code, transformed_code, number):
            return self.name

    class Shell(InteractiveShell):
        displayhook_class = Type(Hook)
        display_pub_class = Type(Publisher)
        compiler_class = Type(Compiler)

        def enable_gui(self, gui=None):
            """Take `%matplotlib inline` and its kind for what they are here: nothing to be opened."""

        def _showtraceback(self, etype, evalue, stb):
            try:
                value = str(evalue)[:10_000]
            except Exception:
                value = ""
            lines = [line[:10_000] for line in stb]
            server.show(
                {"output_type": "error", "ename": etype.__name__, "evalue": value, "traceback": lines}
            )

    # As in a notebook, a module that a cell has written can be imported.
    sys.path.insert(0, "")
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    return Shell.instance(config=config)
