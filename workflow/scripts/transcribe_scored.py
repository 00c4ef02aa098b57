"""Hear the words of every song that is to be scored: what was heard, and what was to be sung."""

import json
from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import recording, scored, stems
from rasen.songs.align.transcriber import Transcriber
from rasen.songs.align.words import SAMPLE_RATE
from rasen.songs.cublas import check_cublas
from rasen.songs.ledger import BatchRunner, passed
from rasen.songs.reasons import SongError


def transcribe_scored(
    recordings: Path,
    stem_ledger: Path,
    songs: Path,
    settings: scored.HearingSettings,
    device: str,
    threads: int,
    at_once: int,
    code: str,
    ledger: Path,
) -> None:
    """Write heard.json (phonemes of the lyrics and of the voice) of each song, and the ledger.

    at_once: chunks of vocals transcribed at once
    """

    def open_model():
        where = pick_device(device)
        check_cublas(where)
        return Transcriber(
            settings.whisper, where, onset=settings.onset, offset=settings.offset,
            chunk=settings.chunk, beam=settings.beam, threads=threads,
        )  # fmt: skip

    def work(transcriber, song, folder):
        if not song.lyrics:
            raise SongError("no_lyrics", "the sheet names none")
        lines = scored.read_words(song.lyrics)
        language = scored.lyrics_language(lines, song.language)
        reference = scored.phonemes_of([line.text for line in lines], language, settings.dictionary)
        if not reference:
            raise SongError(
                "no_lyrics", f"{song.lyrics}: nothing of it can be spoken in {language}"
            )
        sound, rate = stems.read_stem(songs / song.song, "vocals")
        vocals = recording.to_mono(sound, rate, SAMPLE_RATE)
        texts = scored.hear(transcriber, vocals, language, at_once)
        heard = scored.phonemes_of(texts, language, settings.dictionary)
        text = json.dumps(
            {"language": language, "texts": texts, "heard": heard, "reference": reference},
            ensure_ascii=False, indent=1,
        )  # fmt: skip
        (folder / scored.HEARD).write_text(text + "\n", encoding="utf-8")

    version = asdict(settings) | {
        "whisper": hashes.hash_folder(settings.whisper),
        "dictionary": hashes.hash_if_present(settings.dictionary),
    }
    todo = passed(songs, recordings, stem_ledger)
    todo["key"] += todo["language"] + todo["lyrics"].map(hashes.hash_if_present)
    runner = BatchRunner("transcribe_scored", songs, code, version)
    parquet.write_table(runner.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(
        transcribe_scored, out_of_memory="set a lower `songs.align.batch` or `songs.longest`"
    )
