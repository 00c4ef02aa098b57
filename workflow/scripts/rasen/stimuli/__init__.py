"""Stimuli: tables with one row per clip, from which any clip can be rendered alone."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_dict
from rasen.stimuli import clicks, concepts, melodies, notes, recordings, texts


class Reader(Protocol):
    """What `render` has to know of a model family."""

    @property
    def reads(self) -> str:
        """ "audio" or "text"."""

    @property
    def sample_rate(self) -> int:
        """Of the sound that it reads."""


class Kind(NamedTuple):
    """A kind of stimulus set: its settings, its table of clips, the sound of one row."""

    settings: type
    clips: Callable[[Any], pd.DataFrame]
    sound: Callable[[Any, int], np.ndarray] | None = None  # of text: none


KINDS = {
    "notes": Kind(notes.NoteSettings, notes.note_clips, notes.note_sound),
    **{
        name: Kind(
            concepts.ConceptSettings, partial(concepts.concept_clips, name), concepts.concept_sound
        )
        for name in concepts.CONCEPTS
    },
    "tempos": Kind(clicks.ClickSettings, clicks.tempo_clips, clicks.click_sound),
    "time_signatures": Kind(clicks.ClickSettings, clicks.signature_clips, clicks.click_sound),
    "melodies": Kind(melodies.MelodySettings, melodies.melody_clips, melodies.melody_sound),
    "audio": Kind(
        recordings.RecordingSettings, recordings.recording_clips, recordings.recording_sound
    ),
    "text": Kind(texts.TextSettings, texts.text_clips),
}


def clips(settings: Mapping[str, Any]) -> pd.DataFrame:
    """The table of a stimulus set: columns clip and kind, those that render it, and its labels.

    settings: its entry in the config, `kind` and the fields of that kind's settings.
    """
    fields = dict(settings)
    kind = KINDS[fields.pop("kind")]
    return kind.clips(from_dict(kind.settings, fields))


def render(row: Any, family: Reader) -> np.ndarray | str:
    """What a family reads of one row: float32 samples [time] at its sample rate, or a string."""
    if row.kind == "text":
        if family.reads != "text":
            raise RasenError("is text, but this model reads audio; give it an audio set")
        return row.text
    if family.reads != "audio":
        raise RasenError("is audio, but this model reads text; give it a text set")
    return render_sound(row, family.sample_rate)


def render_sound(row: Any, rate: int) -> np.ndarray:
    """Mono float32 samples [time] of one row, synthesised or read at `rate`."""
    sound = KINDS[row.kind].sound
    if sound is None:
        raise RasenError(f"is of kind {row.kind}, which has no sound")
    return sound(row, rate)
