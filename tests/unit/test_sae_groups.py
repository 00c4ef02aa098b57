"""Clips of one song stay together: from the sheet to the split, tally and labels."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from rasen import stimuli
from rasen.io import hdf5, parquet
from rasen.measure.features import label_by_clips
from rasen.sae.activation_source import open_activations
from rasen.sae.data_split import TEST, TRAIN, VALIDATION, split_by_clip
from rasen.sae.features import labels, tally
from rasen.sae.trainer import train

SONGS, CLIPS, FRAMES = 12, 10, 8  # a song cut into many clips


@pytest.fixture(scope="module", params=["song name", "number"])
def dump(request, tmp_path_factory):
    """(path of a dump, song of each clip), from a sheet in which songs are mixed."""
    folder = tmp_path_factory.mktemp("songs")
    rng = np.random.default_rng(0)
    song = rng.permutation(np.repeat(np.arange(SONGS), CLIPS))
    names = [f"song {number}" if request.param == "song name" else number for number in song]
    lines = ["path\tgroup\tmood"]
    for clip, name in enumerate(names):
        soundfile.write(folder / f"{clip}.wav", np.full(100, 0.1), 1000)
        lines.append(f"{clip}.wav\t{name}\t{'calm' if song[clip] % 2 else 'dark'}")
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    clips = stimuli.clips({"kind": "audio", "sheet": str(folder / "sheet.tsv")})
    parquet.write_table(clips, folder / "clips.parquet")  # as the rules hand it on
    with hdf5.create(folder / "dump.h5", pool="all", model="m", point="p") as writer:
        rows = SONGS * CLIPS * FRAMES
        writer.array("layers/00", rng.standard_normal((rows, 8)).astype(np.float32))
        writer.array("rows/clip", np.repeat(np.arange(SONGS * CLIPS, dtype=np.int32), FRAMES))
        writer.array("rows/frame", np.tile(np.arange(FRAMES, dtype=np.int32), SONGS * CLIPS))
        writer.table("clips", parquet.read_table(folder / "clips.parquet"))
    return folder / "dump.h5", song


def test_clips_of_one_song_stay_on_one_side(dump):
    path, song = dump
    with open_activations(path, 0) as source:
        parts = split_by_clip(source.groups, 0).reshape(-1, FRAMES)
    assert (parts == parts[:, :1]).all(), "a clip is never divided"
    for number in range(SONGS):
        assert len(set(parts[song == number, 0])) == 1
    assert [len(set(song[parts[:, 0] == part])) for part in (TRAIN, VALIDATION, TEST)] == [10, 1, 1]


def test_training_and_tally_use_these_sides(dump, tmp_path):
    path, song = dump
    settings = {"expansion": 1, "k": 2, "batch": 64}
    with pytest.warns(UserWarning, match="rows for 8 latents"):
        table = train(path, settings, 0, tmp_path, 0, outlier=1.2)
    assert table["rows_test"][0] == CLIPS * FRAMES, "one song"
    outliers = pd.read_parquet(tmp_path / "outliers.parquet")
    assert (outliers["clip"] == outliers["row"] // FRAMES).all(), "clips are clips, not songs"
    assert (outliers["frame"] == outliers["row"] % FRAMES).all()
    assert len(set(song[outliers["clip"]])) == 1
    from rasen.sae.saelens_format import load

    counts = tally.tally_dump(load(tmp_path / table["sae"][0]), path, 0)
    assert set(song[counts.clips.number]) == set(song[outliers["clip"]])
    assert counts.rows == CLIPS * FRAMES


def test_labels_are_judged_on_other_songs(dump):
    """And `group` is no label itself; the null lets whole songs change their labels."""
    path, song = dump
    x = np.repeat(np.eye(SONGS, dtype=np.float32)[song], FRAMES, axis=0)
    x = np.column_stack([x, np.repeat(song % 2 == 0, FRAMES)]).astype(np.float32)
    with open_activations(path, 0) as source:
        counts = tally.tally_codes(
            [(slice(0, len(x)), np.tile(np.arange(SONGS + 1), (len(x), 1)), x)],
            SONGS + 1,
            np.repeat(np.arange(len(song)), FRAMES),
        )
        counts = tally.replace(counts, clips=source.clips)
    units = labels.by_clip(counts)
    assert (np.diff(units.group) >= 0).all()
    assert np.array_equal(units.activations.toarray()[:, :SONGS].argmax(1), song[units.clip])
    first = labels.first_half(units.group, 0)
    assert not set(song[units.clip[first]]) & set(song[units.clip[~first]])
    assert np.array_equal(labels.by_frame(counts).clip[::FRAMES], units.clip)
    with hdf5.open_file(path) as file:
        table = label_by_clips(counts, hdf5.read_table(file, "clips"), 0)
    assert set(table["column"]) <= {"", "mood"}
    assert (table["label"][:SONGS] == labels.UNLABELLED).all(), "one song is no evidence of a mood"


def test_clips_without_a_group_stand_alone(tmp_path):
    with hdf5.create(tmp_path / "d.h5", pool="all") as writer:
        writer.array("layers/00", np.zeros((6, 2), np.float32))
        writer.array("rows/clip", np.arange(6, dtype=np.int32))
        writer.array("rows/frame", np.zeros(6, np.int32))
        writer.table("clips", pd.DataFrame({"group": ["a", "", "a", None, "", "b"]}))
    with open_activations(tmp_path / "d.h5", 0) as source:
        group = source.groups
    assert group[0] == group[2]
    assert len(set(group)) == 5
