"""Stimuli: tables with one row a clip, from which any clip can be rendered alone."""

from rasen.errors import RasenError
from rasen.stimuli import melodies, notes, recordings, texts

LISTS = {"notes": notes.clips, "melodies": melodies.clips, "audio": recordings.audio_clips,
         "text": texts.text_clips}  # fmt: skip


def clips(settings):
    """The table of a stimulus set: columns clip and kind, those that render it, and its labels."""
    return LISTS[settings["kind"]](settings)


def render(row, family):
    """What a family reads of one row: float32 samples [time] at its sample rate, or a string."""
    if row.kind == "text":
        if family.reads != "text":
            raise RasenError("is text, but this model reads audio; give it an audio set")
        return row.text
    if family.reads != "audio":
        raise RasenError("is audio, but this model reads text; give it a text set")
    return sound(row, family.sample_rate)


def sound(row, rate):
    """Mono float32 samples [time] of one row, rendered or read at `rate`."""
    module = {"notes": notes, "melodies": melodies, "audio": recordings}[row.kind]
    return module.sound(row, rate)
