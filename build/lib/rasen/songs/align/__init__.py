"""The known lyrics, found in the vocals: transcribe, match, align line by line.

1. Whisper writes down what is sung, chunk by chunk; forced alignment gives each word its time.
   Where lines of the lyrics are missing in a gap, it listens to the gap again.
2. The lyrics are matched to these words (`match`). A line that is not found is dropped; heard
   words inside a line that the lyrics lack are recovered (`recover`).
3. Each line is aligned again, alone in its own window (`windows`): its times are refined.

A line is kept for what was heard *and* for its score: scores alone do not tell wrong words.
"""

from dataclasses import dataclass

import numpy as np

from rasen.songs.align.find import believed, find_lines, mean_score, unheard
from rasen.songs.align.windows import in_order
from rasen.songs.lyrics import words
from rasen.songs.reasons import SongError

RATE = 16000  # samples a second of the vocals
MADE_UP = -1.0  # mean log probability below which a chunk's words are
SINGABLE = 12  # words, or characters, a second of the whole song: more is not sung
DEFAULTS = {  # settings of `songs.align`, and the job's threads
    "onset": 0.3,  # probability of a voice at which a chunk begins
    "offset": 0.2,  # and ends
    "chunk": 30,  # seconds, longest chunk that Whisper hears at once
    "beam": 5,  # Whisper's beams
    "batch": 8,  # chunks at a time
    "threads": 1,  # of Whisper on a CPU
    "voiced": 1.0,  # seconds of voice below which nothing is sung
    "certain": 0.9,  # probability from which a song in another language falls out
    "line_match": 0.5,  # share of a line's words that must be heard
    "line_score": 0.3,  # mean score of a line's words
    "song_match": 0.3,  # share of all words that must be found, in lines that are kept
}


@dataclass
class Tools:
    """The opened models: what the stage keeps from song to song."""

    transcriber: object
    aligner: object
    settings: dict


def open_tools(settings, device="cpu"):
    """Open the models: `settings` has `whisper` (folder), `aligners` (language -> folder) and,
    where they differ, `DEFAULTS`. Aligners are opened when a song needs them."""
    from rasen.songs.align.aligner import Aligner
    from rasen.songs.align.transcriber import Transcriber

    settings = DEFAULTS | settings
    aligner = Aligner(settings["aligners"], device)
    chosen = {key: settings[key] for key in ("onset", "offset", "chunk", "beam", "threads")}
    return Tools(Transcriber(settings["whisper"], device, **chosen), aligner, settings)


def align_song(tools, vocals, lines, language=None, song=""):
    """Find `lines` (of `lyrics`) in `vocals` [time] at 16 kHz: the alignment, as a dict.

    language: as the sheet says, or None to ask Whisper (one that only knows English says so).
    Raises `SongError` where the song falls out.
    """
    settings = tools.settings
    vocals = np.asarray(vocals, dtype=np.float32)
    if not any(words(line.text, language or "zh") for line in lines):
        raise SongError("no_lyrics", "the lyrics hold no words")
    chunks = tools.transcriber.voiced(vocals)
    turns = sorted(turn for chunk in chunks for turn in chunk["segments"])
    voiced = sum(end - start for start, end in turns)
    if voiced < settings["voiced"]:
        told = f"{voiced:.1f} s of voice; `songs.align.voiced` is {settings['voiced']}"
        raise SongError("no_vocals", told)
    spoken = tools.transcriber.languages(vocals, chunks)
    likely = max(spoken, key=spoken.get, default="en")
    language = language or likely
    sure = spoken.get(likely, 0.0)
    if likely != language and sure >= settings["certain"]:
        told = f"{sure:.0%} sure that it is {likely}"
        raise SongError("wrong_language", f"{told}; `songs.align.certain` is {settings['certain']}")
    if language not in tools.aligner.folders:
        raise SongError("wrong_language", f"sung in {language}, for which no aligner is given")
    seconds = len(vocals) / RATE
    count = sum(len(words(line.text, language)) for line in lines)
    if count > SINGABLE * seconds:  # matching holds tables of these by the heard words
        told = f"{count} words in {seconds:.1f} s; nobody sings more than {SINGABLE} a second"
        raise SongError("lyrics_mismatch", told)

    def hear(chunks):
        """The words of each chunk, with times."""
        parts = tools.transcriber.transcribe(vocals, chunks, language, settings["batch"])
        real = [part for part in parts if part["avg_logprob"] >= MADE_UP]
        return [align(words(part["text"], language), part) for part in real]

    def align(text, span):
        return tools.aligner.align(vocals, text, language, span["start"], span["end"])

    parts = hear(chunks)
    heard = in_order(believed(parts), turns)
    if not heard:
        raise SongError("no_vocals", "there is a voice, but no words")
    again = unheard(lines, heard, language, seconds, settings)
    if again:
        heard = in_order(believed(parts + hear(again)), turns)
    found = find_lines(lines, heard, turns, language, align, seconds, settings)
    alignment = _sum_up(found, lines, language, vocals, song)
    ratio = alignment["match_ratio"]
    if ratio < settings["song_match"]:
        told = f"{ratio:.0%} of the words of the lyrics were found"
        if sure > 0.5 and likely != language:
            raise SongError("wrong_language", f"{told}; it may be {likely}")
        raise SongError("lyrics_mismatch", told)
    return alignment


def _sum_up(found, lines, language, vocals, song):
    """The alignment of the song, as it is written."""
    told, total, hits, scores = [], 0, 0.0, []
    for i, (line, row) in enumerate(zip(lines, found, strict=True)):
        timed = row["words"]
        told.append(
            {
                "line": i,
                "text": line.text,
                "paragraph": line.paragraph,
                "section": line.section,
                "kept": row["kept"],
                "reason": row["reason"],
                "start": timed[0]["start"] if timed else None,
                "end": timed[-1]["end"] if timed else None,
                "score": round(mean_score(timed), 3) if timed else None,
                "match": round(row["match"], 3) if timed else None,
                "words": timed,
            }
        )
        length = len(words(line.text, language))
        total += length
        # A kept line of which nothing was heard was found in the sound itself.
        hits += (row["match"] or 1.0) * length if row["kept"] else 0.0
        scores += [word["score"] for word in timed]
    return {
        "song": song,
        "language": language,
        "seconds": round(len(vocals) / RATE, 3),
        "match_ratio": round(hits / max(1, total), 3),
        "score": round(float(np.mean(scores)), 3) if scores else 0.0,
        "lines": told,
    }


def table(alignment):
    """The alignment as two DataFrames: (lines, words); a word names its line."""
    import pandas as pd

    song = {"song": alignment["song"]}
    lines = [
        song | {key: value for key, value in line.items() if key != "words"}
        for line in alignment["lines"]
    ]
    spoken = [
        song | {"line": line["line"], "index": index} | word
        for line in alignment["lines"]
        for index, word in enumerate(line["words"])
    ]
    line_columns = ["song", "line", "text", "paragraph", "section", "kept", "reason"]
    word_columns = ["song", "line", "index", "word", "start", "end", "score", "source"]
    return (
        pd.DataFrame(lines, columns=[*line_columns, "start", "end", "score", "match"]),
        pd.DataFrame(spoken, columns=word_columns),
    )
