"""A scheduler that is not SLURM: a script that poses as one, and runs jobs on this machine."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

STUB = Path(__file__).with_name("stub")
NAMES = {"lsf": ("bsub", "bjobs", "bkill")}


@dataclass(frozen=True)
class Stub:
    """A scheduler of this kind in its folder."""

    kind: str
    folder: Path

    @property
    def profile(self):
        """As a user types it, for this scheduler, and quicker."""
        limits = '{"answer": 1, "pause": 1, "late": 2, "silence": 3600}'
        return (
            *("--profile", "slurm", "--profile", "cluster"),
            *("--cluster-generic-submit-cmd", f"rasen-submit {self.kind}"),
            *("--cluster-generic-status-cmd", f"rasen-status '{limits}'"),
            *("--seconds-between-status-checks", "1"),
        )

    @property
    def env(self):
        found = f"{self.folder}:{os.environ['PATH']}"
        return {"STUB": str(self.folder), "STUB_KIND": self.kind, "PATH": found}

    def answer(self, *answers):
        """What the next looks get in place of an answer."""
        (self.folder / "answers").write_text(" ".join(answers))

    @property
    def jobs(self):
        """The words of each submission, in their order."""
        files = sorted(self.folder.glob("*.json"), key=lambda path: int(path.stem))
        return [json.loads(path.read_text()) for path in files]

    @property
    def deleted(self):
        return {int(path.stem) for path in self.folder.glob("*.deleted")}

    def pid(self, number):
        return int((self.folder / f"{number}.pid").read_text())


@pytest.fixture
def scheduler(tmp_path):
    """A function that sets up a scheduler of some kind."""
    made = []

    def of_kind(kind):
        folder = tmp_path / "scheduler"
        folder.mkdir()
        for name in NAMES.get(kind, ("qsub", "qstat", "qdel")):
            shutil.copy(STUB, folder / name)
        made.append(Stub(kind, folder))
        return made[-1]

    yield of_kind
    for stub in made:  # what a failed test left
        for file in stub.folder.glob("*.pid"):
            with suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), 9)
