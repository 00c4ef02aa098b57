"""A job that is forked from a warm Python is a job as any: streams, variables, signals, edits."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rasen.study import warm_start

CLIENT = Path(__file__).parents[2] / "workflow" / "warm" / "client.py"

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="jobs start plainly where processes have no descriptors"
)


@pytest.fixture
def owner():
    """A process in the part of Snakemake."""
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def variables(owner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("w") / "warm"
    return {**os.environ, "RASEN_WARM": f"{folder}:{owner.pid}"}


@pytest.fixture
def start(tmp_path, variables):
    """Start a script's text as a job."""

    def start_job(text, *arguments, **changed):
        script = tmp_path / "job.py"
        script.write_text(text)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", CLIENT, sys.executable, script, *arguments],
            env={**variables, **changed},
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start_job


@pytest.fixture
def run(start):
    """The same to its end: its exit code, what it printed and what it said in error."""

    def run_job(text, *arguments, **changed):
        job = start(text, *arguments, **changed)
        out, err = job.communicate(timeout=60)
        return job.returncode, out, err

    return run_job


def until(holds, seconds=20):
    """Whether something holds before long."""
    end = time.time() + seconds
    while time.time() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def servers(variables):
    folder = variables["RASEN_WARM"].rpartition(":")[0]
    processes = psutil.process_iter(["cmdline"])
    return [p for p in processes if folder in " ".join(p.info["cmdline"] or [])]


TOLD = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), os.environ["COLOUR"], __name__, sys.stdin.read(),
    sys.path[0], os.stat(open("made", "w").name).st_mode & 0o777]))
print("and an error", file=sys.stderr)
"""


def test_a_job_has_its_own_arguments_streams_folder_and_rights(run, tmp_path):
    for _ in range(2):
        code, out, err = run(TOLD, "--a", "b c", COLOUR="red")
        told = json.loads(out)
        assert code == 0
        assert told[:4] == [["--a", "b c"], str(tmp_path), "red", "__main__"]
        assert told[5] == str(tmp_path)
        assert err == "and an error\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit('Error: no such file')", 1, "Error: no such file\n"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, ""),
        ("import atexit; atexit.register(print, 'bye', flush=True)", 0, ""),
    ],
)
def test_it_ends_as_if_started_plainly(run, text, code, said):
    ended, out, err = run(text)
    assert ended == code
    assert err.endswith(said) if said else err == ""
    assert out == ("bye\n" if "bye" in text else "")


def test_what_one_job_imported_the_next_one_finds(run):
    text = "import sys; print('wave' in sys.modules); import wave"
    assert run(text)[1] == "False\n"
    assert run(text)[1] == "True\n"


def test_an_edited_file_of_ours_is_read_anew(run, tmp_path):
    module = tmp_path / "ours.py"
    for word in ("first", "second"):
        module.write_text(f"WORD = '{word}'")
        assert run("from ours import WORD; print(WORD)")[1] == f"{word}\n"


def test_other_variables_have_another_process(run):
    text = "import os; print(os.environ['OMP_NUM_THREADS'], os.getppid())"
    one, two, again = (run(text, OMP_NUM_THREADS=n)[1].split() for n in ("1", "2", "1"))
    assert (one[0], two[0]) == ("1", "2")
    assert one[1] == again[1] != two[1]


WAITS = "import time; print('begun', flush=True); time.sleep(300)"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_ends_when_it_is_killed(start, variables, how):
    job = start(WAITS)
    job.stdout.readline()
    [forked] = [c for server in servers(variables) for c in server.children()]
    job.send_signal(how)
    assert job.wait(20) == (-signal.SIGKILL if how == signal.SIGKILL else 128 + signal.SIGTERM)
    assert until(lambda: not forked.is_running())


def test_a_job_ends_with_the_process_that_forked_it(start, variables):
    job = start(WAITS)
    job.stdout.readline()
    [server] = [p for p in servers(variables) if p.children()]
    server.kill()
    assert job.wait(20) == 137


@pytest.mark.parametrize("said", [b"", (100).to_bytes(8, "big"), (100).to_bytes(8, "big") + b"{"])
def test_a_client_that_is_killed_while_it_asks_harms_nobody(run, variables, said):
    text = "import os; print(os.getppid())"
    _, before, _ = run(text)
    folder = Path(variables["RASEN_WARM"].rpartition(":")[0])
    [path] = [path for path in folder.iterdir() if path.is_socket()]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(said)
    assert run(text)[1] == before  # the same server as before


def test_nothing_remains_after_snakemake_has_ended(start, run, variables, owner):
    job = start("import time; time.sleep(2); print('done')")
    assert until(lambda: servers(variables))
    assert until(lambda: [p for p in servers(variables) if p.children()])
    owner.kill()
    owner.wait()
    assert job.communicate(timeout=20)[0] == "done\n"  # a job that runs ends first
    assert until(lambda: not servers(variables))
    assert until(lambda: not Path(variables["RASEN_WARM"].rpartition(":")[0]).exists())


@pytest.mark.parametrize("value", ["", "no", "/dev/null/at:1", "x:999999999"])
def test_without_a_warm_process_a_job_starts_plainly(run, value):
    text = "import os, sys; print(sys.argv[0].endswith('job.py'), os.getppid())"
    code, out, _ = run(text, RASEN_WARM=value)
    assert code == 0
    assert out.split() == ["True", str(os.getpid())]


def test_nodes_of_a_cluster_and_whoever_wants_it_start_plainly():
    for local, before, found in [(False, "x:1", "no"), (False, "", "no"), (True, "no", "no")]:
        variables = {"RASEN_WARM": before}
        warm_start.offer_warm_start(variables, local)
        assert variables["RASEN_WARM"] == found
    of_another_run = {"RASEN_WARM": "/tmp/x:1"}
    warm_start.offer_warm_start(of_another_run, local=True)
    assert of_another_run["RASEN_WARM"].endswith(f":{os.getpid()}")


def test_a_benchmark_counts_the_job_that_was_forked(start, variables, monkeypatch):
    import snakemake.benchmark

    monkeypatch.setattr(
        snakemake.benchmark.BenchmarkTimer,
        "__init__",
        snakemake.benchmark.BenchmarkTimer.__init__,
    )
    warm_start.count_warm_jobs(snakemake.benchmark, psutil)
    monkeypatch.setenv("RASEN_WARM", variables["RASEN_WARM"])
    job = start("data = bytearray(300_000_000)\n" + WAITS)
    job.stdout.readline()
    record = snakemake.benchmark.BenchmarkRecord()
    timer = snakemake.benchmark.BenchmarkTimer(os.getpid(), record)
    [server] = [p for p in servers(variables) if p.children()]
    [forked] = server.children()
    assert forked in timer.main.children(recursive=True)
    assert server not in timer.main.children(recursive=True)
    timer.work()
    job.kill()
    assert record.max_rss > 286  # MiB
