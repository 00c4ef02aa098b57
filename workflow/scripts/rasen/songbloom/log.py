"""The log of a training run: a line of JSON for every step, and the same as TensorBoard's events.

The lines are what counts. A run that goes on first takes back those of the steps that it will make
again, and writes the events anew from what is left, so that every step stands there once.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

from rasen.io.atomic import write_text
from rasen.songbloom.state import latest_state
from rasen.songbloom.trainer import Step

LINES = "log.jsonl"
OF_BOTH_SPLITS = ("loss", "lm", "flow")  # tagged loss/train, loss/valid, ...
OF_TRAINING = ("lr", "norm", "tokens_s", "memory")


class Log:
    """The log of the run whose state is in `state`; events: folder that gets TensorBoard's."""

    def __init__(self, state: Path, events: Path) -> None:
        self.path = state / LINES
        found = latest_state(state)
        # what was saved after a step had been logged before; without a state all is made again
        rows = [row for row in self.rows() if row["number"] <= found[1]["step"]] if found else []
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))
        self._events = _begin_events(events)
        for row in rows:
            self._events.write(_event(row))
        self._events.flush()

    def add(self, step: Step) -> None:
        """Append a step; both files are on the disk when this returns."""
        row = {**asdict(replace(step, kept=None)), "time": time.time()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._events.write(_event(row))
        self._events.flush()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its steps in the order in which they were made."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # cut by a kill: of a step that is made again
                continue


def _begin_events(folder):
    """An empty file of events, in the place of those of an earlier run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # TensorBoard looks for "tfevents" in the name, and takes the number for a time
    writer = RecordWriter(str(folder / f"events.out.tfevents.{int(time.time())}"))
    writer.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
    # one that is open forgets what it has read of the file before
    start = SessionLog(status=SessionLog.START)
    writer.write(Event(wall_time=time.time(), step=0, session_log=start).SerializeToString())
    return writer


def _event(row: Mapping[str, Any]) -> bytes:
    """A row of the log as one event."""
    tagged = {f"{name}/{row['split']}": row[name] for name in OF_BOTH_SPLITS}
    tagged |= {name: row[name] for name in OF_TRAINING if row[name] is not None}
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in tagged.items()]
    summary = Summary(value=values)
    return Event(wall_time=row["time"], step=row["number"], summary=summary).SerializeToString()
