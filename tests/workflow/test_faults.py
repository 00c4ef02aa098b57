"""What goes wrong in the middle of a run; afterwards the results are what they would have been."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import pytest
from study import ROOT, Study, fresh_study

PERPLEXITY = "results/tables/perplexity.parquet"


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished study that may be harmed."""
    shutil.copytree(finished.folder, tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study")


def files(study):
    """{path: bytes} of everything that a run makes and that holds no times."""
    kinds = ("*.h5", "*.parquet", "*.svg", "*.json")
    found = [p for kind in kinds for p in (study.folder / "results").rglob(kind)]
    return {str(path.relative_to(study.folder)): path.read_bytes() for path in found}


def lose(study, *names):
    for name in names:
        path = study.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_whole_again(study, finished):
    """Nothing half-written is left, and every file is as in the run that nobody disturbed."""
    assert study.planned() == {}
    assert not list(study.folder.rglob("*.partial"))
    ours, theirs = files(study), files(finished)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def processes(study, script):
    """Ids of Python processes below this study that run `script`, or for which it was forked.

    The latter are clients of workflow/warm: they end with their job, and it when they are killed.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            here = os.readlink(entry / "cwd") == str(study.folder)
        except OSError:  # it ended meanwhile
            continue
        python = b"python" in Path(os.fsdecode(words[0])).name.encode()
        if here and python and any(word.endswith(script.encode()) for word in words[1:7]):
            found.append(int(entry.name))
    return found


def wait_for(condition, process, seconds=600):
    """Poll closely until `condition` gives something; what it gives."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if found := condition():
            return found
        time.sleep(0.001)
    raise AssertionError("it did not come so far")


def finish(study, output):
    """Go on after a crash as its message says, and as README says."""
    if "--unlock" in output:
        study.snakemake("--unlock")
    return study.snakemake()


def test_snakemake_is_killed(study, finished):
    """kill -9; the jobs it had started live on and end by themselves."""
    lose(study, PERPLEXITY, "results/perplexity/nano")
    process = study.start()
    jobs = wait_for(lambda: processes(study, "measure_perplexity.py"), process)
    process.kill()
    process.wait()
    while processes(study, "measure_perplexity.py"):
        time.sleep(0.1)
    assert jobs
    output = study.snakemake(ok=False)
    assert "locked" in output
    assert "Traceback" not in output
    finish(study, output)
    is_whole_again(study, finished)


def test_a_job_is_killed_while_it_writes(study, finished):
    folder = study.folder / "results/activations/nano"
    for _ in range(10):  # a small file is written in a moment: try until it is caught
        lose(study, *[str(p.relative_to(study.folder)) for p in folder.glob("*/recordings.*")])
        process = study.start("--forcerun", "dump_activations")
        pid = wait_for(
            lambda: list(folder.glob("*/*.h5.partial")) and processes(study, "dump_activations.py"),
            process,
        )
        for each in pid:
            os.kill(each, signal.SIGKILL)
        output, _ = process.communicate()
        if list(folder.glob("*/*.h5.partial")):
            break
    else:
        pytest.fail("never caught")
    assert process.returncode != 0
    assert "dump_activations" in output
    study.snakemake()
    is_whole_again(study, finished)


def test_training_is_killed_between_checkpoints(study, finished):
    """It begins anew and comes to the same bits, so that nothing after it has to be done again."""
    lose(study, "resources/models/nano")
    process = study.start("nano")
    partial = study.folder / "resources/models/nano.partial/checkpoints"
    wait_for(lambda: list(partial.glob("step-*")), process)
    for pid in processes(study, "train_nano.py"):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode != 0
    assert not (study.folder / "resources/models/nano/training.json").exists()
    study.snakemake("nano")
    is_whole_again(study, finished)
    for name in ("model.safetensors", "checkpoints/step-000002/model.safetensors"):
        ours, theirs = (s.folder / "resources/models/nano" / name for s in (study, finished))
        assert ours.read_bytes() == theirs.read_bytes()


def test_the_disk_is_full(study, finished):
    """A file system of its own, too small for the activations."""
    place = study.folder / "results/activations/nano/trained"
    lose(study, "results/helix/nano/trained.parquet", "results/tables/helix.parquet", place)
    place.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place]
    if subprocess.run(small, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    try:
        study.snakemake("--keep-going", ok=False)
        logs = (study.folder / "logs/dump_activations/nano/trained").glob("*.log")
        reasons = [log.read_text() for log in logs if "Error" in log.read_text()]
        assert reasons
        assert all("No space left on device" in each for each in reasons), reasons
        assert not any("Traceback" in each for each in reasons), reasons
        assert not list(place.rglob("*.partial"))
    finally:
        subprocess.run(["umount", place], check=True)
    study.snakemake()
    is_whole_again(study, finished)


@pytest.mark.parametrize("size", ["20k", "44k"])  # full before the first job, and between jobs
def test_the_disk_of_the_records_is_full(tmp_path, size):
    study = fresh_study(tmp_path / "study", ROOT / "tests/small/config")
    results = study.folder / "results"
    results.mkdir(exist_ok=True)
    small = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", results]
    if subprocess.run(small, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    targets = ("results/tables/points.parquet", "results/stimuli/heldout.parquet")
    try:
        output = study.snakemake(*targets, "--keep-going", ok=False)
    finally:
        subprocess.run(["umount", results], check=True)
    assert "results/.provenance.sqlite: database or disk is full; make room" in output
    assert "Traceback" not in output
    study.snakemake(*targets)
    assert study.planned(*targets) == {}


@pytest.mark.parametrize(
    ("name", "harm", "reader"),
    [
        ("activations/nano/trained/notes.h5", "flip", "fit_helix/nano/trained"),
        ("activations/nano/trained/notes.h5", "cut", "fit_helix/nano/trained"),
        ("inputs/nano/heldout.h5", "flip", "measure_perplexity/nano/trained"),
        ("perplexity/nano/trained.parquet", "flip", "gather_perplexity"),
        ("helix/nano/step-000002.parquet", "cut", "gather_helix"),
    ],
)
def test_a_file_is_damaged(study, finished, name, harm, reader):
    """The job that reads it says which one; it is deleted, and made again with its readers."""
    path = study.folder / "results" / name
    data = bytearray(path.read_bytes())
    if harm == "cut":
        data = data[: len(data) // 2]
    elif name.endswith(".h5"):
        data[_last_number(path)] ^= 1
    else:
        for place in range(100, len(data) // 2, 50):
            data[place] ^= 1
    path.write_bytes(data)
    study.snakemake("--keep-going", ok=False)
    log = (study.folder / f"logs/{reader}.log").read_text()
    assert f"Error: results/{name}: " in log
    assert "damaged" in log
    assert "delete it and run snakemake again" in log
    assert "Traceback" not in log
    path.unlink()
    lost = sorted(files(finished).keys() - files(study).keys())
    assert f"results/{name}" in lost
    assert len(lost) <= 10
    again = study.planned(*lost)
    assert "train_nano" not in again
    assert sum(again.values()) < 20
    study.snakemake(*lost)
    study.snakemake()
    is_whole_again(study, finished)


def _last_number(path):
    """Where the first dataset of rows of an HDF5 file begins: a byte that only a checksum knows."""
    import h5py

    with h5py.File(path) as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if "crc32" in item.attrs else None)
        return file[names[0]].id.get_chunk_info(0).byte_offset


def flip(path):
    """One bit in the middle of a file becomes another; its size and date stay. Its bytes before."""
    before, about = path.read_bytes(), path.stat()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    return before, about


def test_a_bit_of_the_weights_flips(other):
    """Weights that a user gave, and such as are made here: no job computes with others unasked."""
    homes = {"llama": "models/llama", "nano": "resources/models/nano"}
    asked = {model: f"results/perplexity/{model}/trained.parquet" for model in homes}
    other.snakemake(*asked.values())
    made = {path: (other.folder / path).read_bytes() for path in asked.values()}
    lose(other, *asked.values())
    for model, home in homes.items():
        weights = other.folder / home / "model.safetensors"
        before, about = flip(weights)
        assert "measure_perplexity" in other.planned(asked[model])
        for arguments in ([asked[model]], ["--forceall", asked[model]]):
            output = other.snakemake(*arguments, ok=False)
            (line,) = [line for line in output.splitlines() if "its bytes" in line]
            assert line.strip().startswith(f"{home}/model.safetensors: its bytes are not those ")
            assert f"results/weights/{model}/trained.json" in line
            assert "--forcerun check_weights" in line
            assert "Traceback" not in output
            assert not (other.folder / asked[model]).exists(), "refused before the first job"
        weights.write_bytes(before)
        os.utime(weights, ns=(about.st_atime_ns, about.st_mtime_ns))
        other.snakemake(asked[model])
        assert (other.folder / asked[model]).read_bytes() == made[asked[model]]

    certificate = other.folder / "results/weights/llama/trained.json"
    first = certificate.read_bytes()
    flip(weights := other.folder / "models/llama/model.safetensors")
    other.snakemake("--forcerun", "check_weights", "--", asked["llama"])  # on purpose
    second = certificate.read_bytes()
    assert second != first
    lose(other, asked["llama"])
    other.snakemake(asked["llama"])  # these are kept now
    assert certificate.read_bytes() == second
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # with a date of its own: exchanged
    other.snakemake(asked["llama"])
    assert certificate.read_bytes() not in (first, second)


def test_two_at_once(study, finished):
    """The second says that the first is at work, and the first goes on."""
    lose(study, PERPLEXITY, "results/perplexity/nano")
    first = study.start()
    wait_for(lambda: processes(study, "measure_perplexity.py"), first)
    output = study.snakemake(ok=False)
    assert "locked" in output
    assert "Traceback" not in output
    first.communicate()
    assert first.returncode == 0
    is_whole_again(study, finished)


def test_two_people_share_a_folder(study, finished, tmp_path):
    """Group-writable results: what one has made, the other goes on with."""
    if os.getuid() != 0:
        pytest.skip("needs root, to be two people")
    one, other, group = 20001, 20002, 20000
    try:
        subprocess.run([sys.executable, ROOT / "workflow/scripts/list_points.py", "--help"],
                       user=other, group=group, capture_output=True, check=True)  # fmt: skip
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("the checkout or its Python lies where other users cannot read it")
    for path in [study.folder, *study.folder.rglob("*")]:
        os.chown(path, one, group)
        path.chmod(0o2775 if path.is_dir() else 0o664)
    for path in study.folder.parents:
        if path.stat().st_uid == 0 and path.is_relative_to(gettempdir()):
            path.chmod(path.stat().st_mode | 0o055)
    # the second is careful with what is new, as many accounts are
    for user, draws, umask in ((other, 150, 0o002), (one, 160, 0o077), (other, 100, 0o022)):
        study.edit(lambda config, n=draws: config["perplexity"].update(bootstrap=n))
        os.chown(study.folder / "config/config.yaml", one, group)
        home = tmp_path / f"home of {user}"
        home.mkdir(exist_ok=True)
        os.chown(home, user, group)
        process = study.start(
            env={"HOME": str(home), "USER": home.name},
            user=user,
            group=group,
            umask=umask,
            extra_groups=[],
        )
        output, _ = process.communicate()
        assert process.returncode == 0, output
    is_whole_again(study, finished)
