"""Run a script in a process that is forked from a warm Python, or plainly where there is none.

    python -I -S client.py PYTHON SCRIPT ARGS

Most of a short job is the import of torch, transformers and pandas. So the jobs of a local run
share one process per environment (server.py), which has imported what earlier jobs imported and
forks: a job starts in hundredths of a second. It is a process of its own as ever, with this one's
streams, variables and working directory, and ends when this one is killed.

RASEN_WARM is folder:pid, where servers listen and the Snakemake with which they end.
"""

import fcntl
import hashlib
import json
import os
import signal
import socket
import sys

OWN = ("_", "SHLVL", "PWD", "OLDPWD", "RASEN_WARM")  # variables that are of no account to a job
LOST = 137  # a job whose server was killed: as if it had been killed itself


def main(python: str, script: str, *arguments: str) -> None:
    connection = _connect(python)
    if connection is None:
        os.execv(python, [python, script, *arguments])
    umask = os.umask(0o077)
    os.umask(umask)
    asked = {
        "script": script,
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "umask": umask,
    }
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job has it too, being of the same group
    request = json.dumps(asked).encode()
    header = len(request).to_bytes(8, "big")
    try:
        socket.send_fds(connection, [header], [0, 1, 2])
        connection.sendall(request)
        answers = connection.makefile("r")
        pid = int(answers.readline())
    except (OSError, ValueError):  # a server that has just ended
        os.execv(python, [python, script, *arguments])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    note = os.path.join(_folder(), f"{os.getpid()}.job")  # tells a benchmark whose work this is
    with open(note, "w") as file:
        file.write(str(pid))
    status = answers.readline()
    os.unlink(note)
    sys.exit(int(status) if status else LOST)


def _folder() -> str:
    return os.environ["RASEN_WARM"].rpartition(":")[0]


def _connect(python: str) -> socket.socket | None:
    """A connection to the server for this Python and these variables, started if needed."""
    try:
        folder, _, owner = os.environ["RASEN_WARM"].rpartition(":")
        os.close(os.pidfd_open(int(owner)))  # Linux alone has it
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.stat(folder).st_uid != os.getuid():
            return None
        variables = sorted(item for item in os.environ.items() if item[0] not in OWN)
        name = hashlib.sha256(json.dumps([python, variables]).encode()).hexdigest()[:12]
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # two first jobs start one server
        path = os.path.join(folder, name)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            _start(python, path, owner)
            connection.connect(path)
        os.close(lock)
        return connection
    except (AttributeError, OSError, ValueError):
        return None


def _start(python: str, path: str, owner: str) -> None:
    """Start a server that listens at `path`, as nobody's child: it is not part of this job."""
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    if child := os.fork():
        os.waitpid(child, 0)
        listener.close()
        return
    if os.fork():
        os._exit(0)
    server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(f"{path}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    number = listener.detach()
    for stream, target in ((nothing, 0), (log, 1), (log, 2), (number, 3)):
        os.dup2(stream, target)
    os.closerange(4, 256)
    os.execv(python, [python, server, path, owner])


if __name__ == "__main__":
    main(*sys.argv[1:])
