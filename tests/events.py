"""What TensorBoard would read of a folder of events."""

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def read_events(folder):
    """Its events in order; each record is framed by its length and two checksums."""
    events = []
    for path in sorted(Path(folder).glob("*tfevents*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            events.append(Event.FromString(data[place + 12 : place + 12 + length]))
            place += 12 + length + 4
    return events


def read_scalars(folder):
    """{tag: [(step, value), ...]} in the order of the file."""
    scalars = {}
    for event in read_events(folder):
        for value in event.summary.value:
            scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars
