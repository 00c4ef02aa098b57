"""Perfect ears: tools for `align_song` that know what is sung, so that logic is tested exactly."""

from difflib import SequenceMatcher

import numpy as np

from rasen.songs.align import DEFAULTS, Tools
from rasen.songs.align.aligner import Word

RATE = 16000


def sung(text, language="en", line_pause=1.0, start=2.0):
    """Words of 0.4 s, 0.1 s apart, with `line_pause` between the lines (parted by |)."""
    words, time = [], start
    for line in text.split("|"):
        for word in line.split() if language == "en" else line.strip():
            words.append(Word(word, time, time + 0.4, 0.75))
            time += 0.5
        time += line_pause
    return words


class Ears:
    """Transcriber and aligner at once: the truth, or what `hears` makes of it.

    lost: (start, end) that voice detection does not find.
    """

    def __init__(self, truth, hears=None, languages=None, lost=None):
        self.truth = truth
        self.text = [word.text for word in truth] if hears is None else hears.split()
        self.spoken = languages or {"en": 0.97}
        self.folders = {"en": "", "zh": "", "ja": ""}
        self.asked, self.lost, self.deaf = [], lost, hears is not None

    def voiced(self, vocals):
        if not self.truth:
            return []
        turns = [(0, self.truth[-1].end + 0.1)]
        if self.lost:
            turns = [(0, self.lost[0]), (self.lost[1], turns[0][1])]
        return [{"start": start, "end": end, "segments": [(start, end)]} for start, end in turns]

    def languages(self, vocals, chunks):
        return self.spoken

    def transcribe(self, vocals, chunks, language, batch):
        if self.deaf:  # hears the same in any case, and nothing more when it listens again
            said, self.text = self.text, []
            return [
                {"start": 0, "end": len(vocals) / RATE, "text": " ".join(said), "avg_logprob": -0.2}
            ]
        texts = [
            [w.text for w in self.truth if chunk["start"] <= w.start and w.end <= chunk["end"]]
            for chunk in chunks
        ]
        sure = {"avg_logprob": -0.2}
        return [c | sure | {"text": " ".join(t)} for c, t in zip(chunks, texts, strict=True)]

    def align(self, vocals, words, language, start, end):
        """Equal words get their true times; others lie between them with a low score."""
        self.asked.append((words, start, end))
        inside = [w for w in self.truth if w.start > start - 0.1 and w.end < end + 0.1]
        blocks = SequenceMatcher(
            None, [w.lower() for w in words], [w.text for w in inside], autojunk=False
        ).get_matching_blocks()
        times = {b.a + k: inside[b.b + k] for b in blocks for k in range(b.size)}
        out, clock = [], start
        for i, text in enumerate(words):
            if i in times:
                clock = times[i].end
                out.append(Word(text, times[i].start, times[i].end, 0.75))
            else:
                out.append(Word(text, clock, clock + 0.05, 0.1))
        return out


def tools(truth, **more):
    ears = Ears(truth, **more)
    return Tools(ears, ears, DEFAULTS)


def sound(truth, after=2.0):
    return np.zeros(int(RATE * (truth[-1].end + after)) if truth else RATE, dtype=np.float32)
