"""Models for `align_song` that know what is sung, so that its logic is tested exactly."""

from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np
from schema_defaults import default_settings

from rasen.songs.align import Tools
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.words import FRAME, SAMPLE_RATE, Chunk, Transcript, Word

SETTINGS = default_settings(AlignSettings, "align")


def sung(text, language="en", line_pause=1.0, start=2.0):
    """Words of 0.4 s, 0.1 s apart, with `line_pause` between the lines (parted by |)."""
    words, time = [], start
    for line in text.split("|"):
        for word in line.split() if language == "en" else line.strip():
            words.append(Word(word, time, time + 0.4, 0.75))
            time += 0.5
        time += line_pause
    return words


class Oracle:
    """Transcriber and aligner at once: the truth, or another `transcript`.

    lost: (start, end) that voice detection does not find
    deaf: whether the aligner hears nothing in the sound itself, only where it is asked for words
    scores: {words of a line: their score}, where it is not 0.75
    """

    def __init__(self, truth, transcript=None, languages=None, lost=None, scores=None, deaf=False):
        self.truth, self.scores = truth, scores or {}
        self.text = [word.text for word in truth] if transcript is None else transcript.split()
        self.spoken = languages or {"en": 0.97}
        self.folders = {"en": "", "zh": "", "ja": ""}
        self.deaf, self.classes = deaf, {}
        self.asked, self.lost, self.fixed = [], lost, transcript is not None

    def detect_voice(self, vocals):
        if not self.truth:
            return []
        segments = [(0, self.truth[-1].end + 0.1)]
        if self.lost:
            segments = [(0, self.lost[0]), (self.lost[1], segments[0][1])]
        return [Chunk(start, end, ((start, end),)) for start, end in segments]

    def detect_languages(self, vocals, chunks):
        return self.spoken

    def transcribe(self, vocals, chunks, language, batch):
        if self.fixed:  # the same text in any case, and nothing more when it is asked again
            text, self.text = " ".join(self.text), []
            return [Transcript(0, len(vocals) / SAMPLE_RATE, text, -0.2)]
        texts = [
            " ".join(w.text for w in self.truth if chunk.start <= w.start and w.end <= chunk.end)
            for chunk in chunks
        ]
        return [Transcript(c.start, c.end, t, -0.2) for c, t in zip(chunks, texts, strict=True)]

    def letters(self, words, language):
        text = "".join(words).lower()
        return [self.classes.setdefault(letter, len(self.classes) + 1) for letter in text]

    def marks(self, language):
        return 0, []

    def listen(self, vocals, language):
        """Each letter of a word in one frame, the letters spread over the word."""
        self.letters([word.text for word in self.truth], language)
        chances = np.full((len(vocals) // FRAME, len(self.classes) + 1), 1e-4)
        chances[:, 0] = 0.99
        for word in () if self.deaf else self.truth:
            for i, letter in enumerate(word.text.lower()):
                time = word.start + (word.end - word.start) * i / len(word.text)
                chances[round(time * SAMPLE_RATE / FRAME), [0, self.classes[letter]]] = 0.1, 0.9
        return np.log(chances)

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
        score = self.scores.get(" ".join(words))
        return [replace(word, score=score) for word in out] if score is not None else out


def tools(truth, **more):
    oracle = Oracle(truth, **more)
    return Tools(oracle, oracle, SETTINGS)


def sound(truth, after=2.0):
    """Noise while a word is sung, else silence."""
    seconds = truth[-1].end + after if truth else 1
    vocals = np.zeros(int(SAMPLE_RATE * seconds), dtype=np.float32)
    for word in truth:
        first, last = (int(edge * SAMPLE_RATE) for edge in (word.start, word.end))
        vocals[first:last] = np.random.default_rng(0).normal(0, 0.1, last - first)
    return vocals
