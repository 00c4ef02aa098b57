"""Make the fixture songs: vocals, truth and lyrics.

Lines start on the beat, two per section; the synthesiser gives the exact time of each word, so the
truth needs no model.

    python make_songs.py [SONG ...]
"""

import json
import sys
from pathlib import Path

import numpy as np
import soundfile
from espeak import RATE, speak
from words import HELD_OUT, SONGS, VOICES, spell

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT.parents[1] / "tests/songs/held_out"
HIGHER = 15  # pitch of a chorus above a verse, of 99
PEAK = 0.8
QUIET = 0.01  # of the peak: sound below it after the last word is no voice


def sing(line, language, **voice):
    """A line as sound float32 [time] and its words with their times from its start."""
    words = spell(line, language)
    text = " ".join(spoken for _, spoken in words)
    sound, events = speak(text, VOICES[language] + voice.pop("variant", ""), **voice)
    at = np.cumsum([0] + [len(spoken) + 1 for _, spoken in words])[:-1].tolist()
    onset = {place: sample / RATE for place, sample in events}
    starts = [onset[place] for place in at]  # a KeyError: espeak joined two words
    ends = [
        *starts[1:],
        (np.flatnonzero(np.abs(sound) > QUIET * np.abs(sound).max())[-1] + 1) / RATE,
    ]
    timed = [
        {"word": shown, "start": start, "end": end}
        for (shown, _), start, end in zip(words, starts, ends, strict=True)
    ]
    return sound[: round(ends[-1] * RATE)], timed


def song(name):
    """The vocals float32 [time] and the truth of a song."""
    plan = (SONGS | HELD_OUT)[name]
    section = 16 * plan.beat
    manner = {"speed": plan.speed, "variant": plan.voice}
    sound = np.zeros(round(len(plan.form) * section * RATE), np.float32)
    sections, lines = [], []
    for index, key in enumerate(plan.form):
        label, start = key.split()[0], index * section
        sections.append(
            {"start": round(start, 3), "end": round(start + section, 3), "label": label}
        )
        for half, line in enumerate(plan.words.get(key, ())):
            begin = start + half * section / 2 + plan.beat
            pitch = plan.pitch + HIGHER * (label == "chorus")
            voice, words = sing(line, plan.language, **manner, pitch=pitch)
            at = round(begin * RATE)
            assert len(voice) / RATE < section / 2 - plan.beat, (line, len(voice) / RATE)
            sound[at : at + len(voice)] += voice
            words = [
                {"word": w["word"]} | {k: round(at / RATE + w[k], 4) for k in ("start", "end")}
                for w in words
            ]
            lines.append(
                {
                    "text": line,
                    "section": index,
                    "start": words[0]["start"],
                    "end": words[-1]["end"],
                }
                | {"words": words}
            )
    truth = {"song": name, "language": plan.language, "seconds": len(sound) / RATE}
    return sound * PEAK / np.abs(sound).max(), truth | {"lines": lines, "sections": sections}


def lyrics(truth):
    """The words as plain text, sections named."""
    rows = []
    for index, section in enumerate(truth["sections"]):
        texts = [line["text"] for line in truth["lines"] if line["section"] == index]
        rows += [f"[{section['label']}]", *texts, ""] if texts else []
    return "\n".join(rows)


def lrc(truth):
    """The words with the time of each line."""
    stamp = "[{:02d}:{:05.2f}]{}".format
    rows = [stamp(int(li["start"] // 60), li["start"] % 60, li["text"]) for li in truth["lines"]]
    return "\n".join([f"[ti:{truth['song'].capitalize()}]", "[ar:Rasen]", *rows, ""])


def write(name, sound, truth):
    """Write a fixture song; the held-out one, which the demo has no use for, to the tests."""
    root = TESTS if name in HELD_OUT else ROOT
    form = {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.6}
    soundfile.write(root / f"vocals/{name}.ogg", sound, RATE, **form)
    text = json.dumps(truth, ensure_ascii=False, indent=1) + "\n"
    (root / f"truth/{name}.json").write_text(text, encoding="utf-8")
    (root / f"lyrics/{name}.txt").write_text(lyrics(truth), encoding="utf-8")
    if truth["language"] == "en":
        (root / f"lyrics/{name}.lrc").write_text(lrc(truth), encoding="utf-8")


def main():
    for name in sys.argv[1:] or [*SONGS, *HELD_OUT]:
        write(name, *song(name))


if __name__ == "__main__":
    main()
