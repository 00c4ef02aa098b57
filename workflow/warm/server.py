"""A Python that forks a process for every job and imports beforehand what earlier jobs imported.

    python server.py PATH OWNER      listens at file descriptor 3, a socket at PATH

It imports installed packages alone, never a file of ours, so an edited script is always read anew.
It ends with the process OWNER, or after some minutes without a job; a job that runs ends first.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import sysconfig
import threading
from contextlib import suppress
from typing import Any

LISTENER = 3
IDLE = 300  # seconds without a job after which a server ends: it takes half a gigabyte
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def serve(path: str, owner: int) -> tuple[str, str]:
    """Fork at every request; returns in a job's process: its script, and where it notes modules."""
    kernel = ctypes.CDLL(None)
    listener = socket.socket(fileno=LISTENER)
    ended = os.pidfd_open(owner)
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    events.register(ended, selectors.EVENT_READ)
    jobs: dict[int, tuple[int, socket.socket]] = {}  # a job's pidfd -> its pid and client
    open_to_jobs = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # jobs end by it, then their Snakemake
    while open_to_jobs or jobs:
        ready = {key.fileobj for key, _ in events.select(IDLE)}
        for job, (pid, client) in list(jobs.items()):
            if job in ready:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with suppress(OSError):
                    client.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
                _learn(f"{path}.{pid}")
            elif client in ready:  # its client was killed, and it is, too
                signal.pidfd_send_signal(job, signal.SIGKILL)
                os.waitpid(pid, 0)
            else:
                continue
            events.unregister(job)
            events.unregister(client)
            os.close(job)
            client.close()
            del jobs[job]
        if open_to_jobs and (ended in ready or not (ready or jobs)):
            open_to_jobs = False
            events.unregister(listener)
            events.unregister(ended)
            os.unlink(path)  # whoever comes now starts another server
        elif listener in ready:
            client, _ = listener.accept()
            try:
                request, streams = _receive(client)
            except (OSError, ValueError):  # a client that was killed while it asked
                client.close()
                continue
            server = os.getpid()
            if pid := os.fork():
                with suppress(OSError):  # killed since: it is in `ready` next, and its job ends
                    client.sendall(b"%d\n" % pid)
                jobs[job := os.pidfd_open(pid)] = pid, client
                events.register(job, selectors.EVENT_READ)
                events.register(client, selectors.EVENT_READ)
                for stream in streams:
                    os.close(stream)
                continue
            kernel.prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
            events.close()
            for file in (listener, client, *(client for _, client in jobs.values())):
                file.close()
            for number in (ended, *jobs):
                os.close(number)
            return _become(request, streams), f"{path}.{os.getpid()}"
    with suppress(OSError):
        os.unlink(f"{path}.log")
        os.rmdir(os.path.dirname(path))
    sys.exit()


def _receive(client: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What a client asks for, and its three streams."""
    header, streams, _, _ = socket.recv_fds(client, 8, 3)
    size, request = int.from_bytes(header, "big"), b""
    while len(request) < size:
        if not (more := client.recv(size - len(request))):
            raise ConnectionError
        request += more
    return json.loads(request), streams


def _become(request: dict[str, Any], streams: list[int]) -> str:
    """Take the streams, folder and variables of a job, as if started for it; returns its script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    script = request["script"]
    sys.argv = [script, *request["arguments"]]
    sys.path[0] = os.path.dirname(script)
    return script


def _learn(note: str) -> None:
    """Import what a job had imported and this process has not yet: the next one finds it there."""
    try:
        with open(note) as file:
            names = file.read().split()
        os.unlink(note)
    except OSError:  # a job that was killed
        return
    for name in names:
        with suppress(Exception):  # not everything in sys.modules can be imported by its name
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no collection of a job touches, and so copies, what it shares


def _note(before: set[str], note: str) -> None:
    """Write down the installed modules that were imported since `before`."""
    origins = {
        name: getattr(getattr(module, "__spec__", None), "origin", None) or ""
        for name, module in list(sys.modules.items())
        if name not in before
    }
    names = [name for name, origin in origins.items() if origin.startswith(INSTALLED)]
    if names:
        with open(f"{note}.part", "w") as file:
            file.write("\n".join(names))
        os.replace(f"{note}.part", note)


def _run(script: str) -> int:
    """Run a job's script to its end, as the interpreter does; returns its exit code."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(*sys.exc_info())
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


if __name__ == "__main__":
    script, note = serve(sys.argv[1], int(sys.argv[2]))
    before = set(sys.modules)
    code = _run(script)
    _note(before, note)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is taken down piece by piece: that would copy all that is shared
