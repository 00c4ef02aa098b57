"""Render a set of notes to be heard: an MP3 of each instrument, half a second a key."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.errors import RasenError
from rasen.io import parquet
from rasen.io.audio import mp3_bytes
from rasen.stimuli import render_sound
from rasen.stimuli.recordings import ChangedRecording
from rasen.stimuli.sprites import RATE, SLOT, sprite


def render_notes(clips: Path, notes: Path) -> None:
    """Write a row per instrument: the key of MIDI pitch `lowest` + k begins at k * `seconds`."""
    table = parquet.read_table(clips)
    if "repeats" in table:
        table["repeats"] = 1  # no more of a note is heard
    pitches = range(table["pitch"].min(), table["pitch"].max() + 1)
    rows = []
    for instrument, of_instrument in table.groupby("instrument", sort=False):
        row_of = {row.pitch: row for row in of_instrument.itertuples()}
        sound = sprite([_sound(row_of.get(pitch)) for pitch in pitches])
        rows.append({"instrument": instrument, "mp3": mp3_bytes(sound, RATE)})
    told = {"lowest": pitches[0], "keys": len(pitches), "seconds": SLOT, "rate": RATE}
    parquet.write_table(pd.DataFrame(rows).assign(**told), notes)


def _sound(row):
    """The sound of a clip; None of what is not there, which models did not hear either."""
    try:
        return None if row is None else render_sound(row, RATE)
    except ChangedRecording:
        raise
    except RasenError as error:
        print(f"silent: clip {row.clip}: {error}")
        return None


if __name__ == "__main__":
    command.run(render_notes)
