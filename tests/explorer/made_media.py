"""Results with songs, training runs and features as the workflow writes them, of any size."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from made import write_tables

from rasen.songs.alignment import LINES, WORDS
from rasen.songs.peaks import RATE, peaks

HOSTILE = '<img src=x onerror="document.title=1">&amp;</script>'
POINTS = ("untrained", "step-000064", "trained")
SECONDS = 12.0
LETTERS = np.array(list("abcdefghij"))


def feature_tables(points=POINTS, features=40, clips=30, text=False, layer=4, label=HOSTILE):
    """{name: table} of SAEs at some points: features, top clips, matches, stimuli.

    Feature 0 is unlabelled with an AP of 1; 1 and 2 are confirmed; 3 is labelled alone; 4 is dead.
    Feature f of a point is f + 1 at the next one.
    """
    rng = np.random.default_rng(0)
    tables, of = [], {"model": "nano", "layer": layer, "sae": "topk", "seed": 0}
    result = {}
    for point in points:
        number = np.arange(features)
        table = pd.DataFrame({"feature": number, "rows": 5 * number, "clips": 2 + number % 7})
        table = table.assign(
            rate=0.01, clip_rate=0.05, maximum=2.0, mean=1.0, kept=number != 4, label="unlabelled",
            column="", ap=rng.uniform(0, 0.5, features), auroc_hard=np.nan, purity=np.nan,
            p_corrected=0.5, confirmed=False, point=point, **of,
        )  # fmt: skip
        table.loc[0, "ap"] = 1.0
        table.loc[1:3, ["label", "column"]] = [
            [label, "chord"],
            ["chord C", "chord"],
            ["F", "chord"],
        ]
        table.loc[1:3, ["ap", "auroc_hard"]] = [[0.6, 0.9], [0.7, 0.8], [0.9, 0.99]]
        table.loc[1:2, "confirmed"] = True
        table.loc[4, ["clips", "rate", "clip_rate", "maximum"]] = 0
        tables.append(table)
        kept = number[number != 4]
        listed = pd.DataFrame(
            {"feature": np.repeat(kept, 6), "rank": np.tile(np.arange(6), len(kept))}
        )
        listed["clip"] = (listed["feature"] + listed["rank"]) % clips
        levels = rng.integers(0, 256, (len(listed), 50)).astype(np.uint8)
        listed = listed.assign(
            row=0, frame=levels.argmax(1), value=1.5, mean=0.5, first_frame=0, frames_each=1,
            activation=[row.tobytes() for row in levels], frame_rate=np.nan if text else 12.5,
            stimuli="clips", point=point, **of,
        )  # fmt: skip
        if text:
            words = LETTERS[rng.integers(0, 10, levels.shape)].astype(object)
            words[:, 3] = HOSTILE
            listed["tokens"] = list(words)
        result[f"sae/nano/{point}/layer-{layer:02d}/top_clips"] = listed
    matches = [
        pd.DataFrame({"before": np.arange(features - 1), "after": np.arange(1, features)}).assign(
            fate="matched", overlap=0.5, cosine=0.5, drift=0.5, limit=0.1, model="nano",
            layer=layer, from_point=first, to_point=second, from_seed=0, to_seed=0,
        )
        for first, second in pairwise(points)
    ]  # fmt: skip
    if matches:
        result[f"sae/nano/matches/layer-{layer:02d}"] = pd.concat(matches)
    sheet = pd.DataFrame({"clip": [f"clip {n}" for n in range(clips)]})
    sheet.loc[0, "clip"] = HOSTILE
    result["stimuli/clips"] = sheet.assign(kind="text" if text else "melodies", seconds=4.0)
    result["tables/features"] = pd.concat(tables, ignore_index=True)
    return result


def song_tables(folder, songs=2, sound=True, name=HOSTILE):
    """{name: table} of songs of twelve seconds with a word a second; the last one is rejected.

    folder: below which results/ is; the recordings and voices are written there. name: of artists
    """
    names = [f"song{number}" for number in range(songs + 1)]
    time = np.arange(int(SECONDS * 16000)) / 16000
    tone = 0.3 * np.sin(2 * np.pi * 440 * time) * (time % 1 < 0.6)
    raw = peaks(tone[None], 16000)
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for song in names if sound else ():
        home = folder / "results/songs" / song
        home.mkdir(parents=True)
        soundfile.write(folder / "audio" / f"{song} 1.flac", tone, 16000)
        soundfile.write(home / "vocals.flac", tone, 16000)
    every = pd.DataFrame({"song": names, "seconds": SECONDS, "artist": name})
    every["audio"] = [f"audio/{song} 1.flac" for song in names]
    accepted = every[:-1].assign(
        language="en", license="", split="train", lyrics="given", way="lrc", match_ratio=1.0,
        score=0.9, tempo=120.0, music_key="A minor", loudness=-14.0,
    )  # fmt: skip
    rejected = every[-1:].assign(
        stage="align_lyrics", reason="lyrics_mismatch", detail=HOSTILE,
        meaning="the words that are sung are not those of the lyrics", cure="find the song's own",
    )  # fmt: skip
    waves = every.assign(columns_s=RATE, mix=raw, vocals=raw, accompaniment=b"")
    waves = waves.assign(vocals_file="vocals.flac", accompaniment_file="")
    sections = [
        {"song": song, "start": start, "end": start + 4, "label": label, "backend": "given"}
        for song in names[:-1]
        for start, label in ((0, "intro"), (4, "verse"), (8, HOSTILE))
    ]
    lines = [
        {"song": song, "line": line, "text": "la", "section": "verse", "kept": line < 3,
         "start": 4.0 * line, "end": 4.0 * line + 4, "backing": False, "reason": None}
        for song in names[:-1]
        for line in range(4)
    ]  # fmt: skip
    words = [
        {"song": song, "line": second // 4, "index": second % 4, "start": float(second),
         "end": second + 0.6, "score": 0.9, "source": "lyrics",
         "word": HOSTILE if second == 5 else f"word{second}"}
        for song in names[:-1]
        for second in range(int(SECONDS))
    ]  # fmt: skip
    return {
        "tables/songs": accepted,
        "tables/quarantine": rejected,
        "tables/recordings": every,
        "tables/sections": pd.DataFrame(sections).assign(confidence=0.5),
        "tables/lines": pd.DataFrame(lines).reindex(columns=LINES.names),
        "tables/words": pd.DataFrame(words).reindex(columns=WORDS.names),
        "batches/measure_peaks/00000": waves,
    }


def songbloom_tables(folder=None, steps=40):
    """{name: table} of a training run, the song that it made, and scores of it.

    folder: below which results/ is, for the song's sound
    """
    step = np.arange(steps + 1)
    train = pd.DataFrame({"run": HOSTILE, "step": step[1:], "split": "train"})
    train["loss"] = 5 * np.exp(-train["step"] / 20)
    valid = pd.DataFrame({"run": HOSTILE, "step": step[::10], "split": "valid"})
    valid["loss"] = 5.5
    training = pd.concat([train, valid], ignore_index=True)
    training = training.assign(lm=training["loss"], flow=1.0, lr=1e-3, norm=0.3)
    generated = pd.DataFrame({"run": ["toy"], "step": [steps], "song": ["river"], "seed": [0]})
    generated = generated.assign(seconds=2.0, patches=4, rtf=0.06, ended=False)
    if folder:
        home = folder / f"results/songbloom/toy/songs/step-{steps:06d}"
        home.mkdir(parents=True)
        soundfile.write(home / "river--seed-0.flac", np.sin(np.arange(32000) / 20) / 3, 16000)
    scores = pd.DataFrame({"system": ["toy", "toy"], "song": ["", "river"], "metric": "per"})
    scores = scores.assign(value=0.07, low=0.05, high=0.09, n=1, embedding="", detail=HOSTILE)
    return {"tables/training": training, "tables/generated": generated, "tables/scores": scores}


def write_results(folder: Path, tables):
    """{name below results/: table} as files of results/ in a folder; their paths below it."""
    return [
        path
        for name, table in tables.items()
        for path in write_tables(folder / "results" / Path(name).parent, {Path(name).name: table})
    ]
