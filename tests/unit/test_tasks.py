"""Tasks of the config: from the clips of a dump to what probes are given, and all that is wrong."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from rasen import stimuli
from rasen.errors import RasenError
from rasen.measure.tasks import Rows, TaskSettings, targets
from rasen.probes.checks import check
from rasen.probes.settings import ProbeSettings
from rasen.study.config import load_config

ROOT = Path(__file__).parents[2]
RATE, SECONDS = 10.0, 4  # of dumps of frames


def clips(**columns):
    """Six clips of three songs."""
    return pd.DataFrame(
        {
            "clip": [f"c{number}" for number in range(6)],
            "song": ["x", "x", "y", "y", "z", "z"],
            "genre": ["rock", "rock", "pop", "pop", "rock", "rock"],
        }
        | columns
    )


def read(table, **entries):
    """{task: (its groups, the Task)} of entries of `tasks`, over a dump of one row a clip."""
    return of_rows(Rows(table, np.arange(len(table))), **entries)


def of_rows(rows, **entries):
    tasks = {name: TaskSettings("songs", **entry) for name, entry in entries.items()}
    return {
        name: (groups, task) for groups, some in targets(tasks, rows) for name, task in some.items()
    }


def frames(table):
    """Rows of a dump of frames of all clips."""
    count = int(RATE * SECONDS)
    frame = np.tile(np.arange(count), len(table))
    clip, ends = np.repeat(np.arange(len(table)), count), np.full(len(table), float(SECONDS))
    return Rows(table, clip, (frame + 0.5) / RATE, frame, RATE, frozenset(["gone"]), ends)


# --- whole clips


@pytest.mark.parametrize("empty", [None, np.nan, "", "NaN"])
def test_a_clip_without_a_label_or_a_split_is_left_out(empty):
    table = clips(
        mood=["a", empty, "b", "a", "b", "a"], half=["train", "train", empty, *["test"] * 3]
    )
    _, task = read(table, mood={"label": "mood", "split": "half"})["mood"]
    assert task.rows.tolist() == [0, 3, 4, 5]
    assert task.values.tolist() == ["a", "a", "b", "a"]
    assert task.split.tolist() == ["train", "test", "test", "test"]
    tags = clips(tags=["a;b", "a", "b", "", "b", "a"], half=["train", empty, *["test"] * 4])
    _, task = read(tags, t={"label": "tags", "kind": "tags", "split": "half"})["t"]
    assert task.rows.tolist() == [0, 2, 3, 4, 5]
    assert task.values.tolist() == [[True, True], [False, True], [False] * 2, [False, True],
                                    [True, False]]  # fmt: skip


@pytest.mark.parametrize("header", ["clip\ttime", "clip\tstart\tend\tchord"])
def test_labels_of_clips_that_a_model_could_not_read_do_not_count(tmp_path, header):
    sheet = tmp_path / "s.tsv"
    rest = "" if "time" in header else "\t2\tC"
    sheet.write_text("\n".join([header, f"c0\t1{rest}", f"gone\t1{rest}"]))
    metrics = {"metrics": ["beat_f"]} if "time" in header else {}
    entry = {"label": "chord", "kind": "frames", "intervals": str(sheet)} | metrics
    _, task = of_rows(frames(clips()), t=entry)["t"]
    assert len(task.values) == (240 if "time" in header else 10)


def test_classes_with_songs_and_groups():
    groups, task = read(clips(), genre={"label": "genre"})["genre"]
    assert task.values.tolist() == ["rock", "rock", "pop", "pop", "rock", "rock"]
    assert task.songs.tolist() == groups.tolist() == ["x", "x", "y", "y", "z", "z"]
    assert task.split is None
    assert task.kind == "classes"


def test_clips_without_a_label_are_left_out():
    table = clips(genre=["rock", "", "pop", "None", "rock", "nan"])
    _, task = read(table, genre={"label": "genre"})["genre"]
    assert task.rows.tolist() == [0, 2, 4]
    assert task.values.tolist() == ["rock", "pop", "rock"]
    assert task.songs.tolist() == ["x", "y", "z"]


def test_numbers_are_numbers_even_as_text():
    table = clips(valence=["1", "2.5", "", "4", "5", "much"])
    _, task = read(table, valence={"label": "valence", "kind": "numbers"})["valence"]
    assert task.rows.tolist() == [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(task.values, [1, 2.5, 4, 5, np.nan])
    with pytest.raises(RasenError, match="1 labels are missing"):
        check({0: np.zeros((6, 2))}, {}, {"valence": task}, np.arange(6), ProbeSettings(folds=3))


def test_tags_in_one_column_and_in_several():
    table = clips(
        tags=["a; b", "b", "", "c;a", "a", "b"], a=[1, 0, 0, 1, 1, 0], b=[1, 1, 0, 0, 0, 1]
    )
    found = read(table, one={"label": "tags", "kind": "tags"},
                 some={"label": ["b", "a"], "kind": "tags"})  # fmt: skip
    one, some = found["one"][1], found["some"][1]
    assert one.tags == ("a", "b", "c")
    assert some.tags == ("b", "a")
    np.testing.assert_array_equal(one.values[:, [1, 0]], some.values)
    assert one.values[:, 2].tolist() == [False, False, False, True, False, False]
    assert len(one.rows) == 6, "no tag is an answer, too"


def test_groups_are_group_or_song_or_instrument_or_what_is_named():
    entry = {"genre": {"label": "genre"}}
    assert read(clips(group=list("aabbcc")), **entry)["genre"][0].tolist() == list("aabbcc")
    plain = clips(instrument=list("pqpqpq")).drop(columns="song")
    assert read(plain, **entry)["genre"][0].tolist() == list("pqpqpq")
    alone = clips().drop(columns="song")
    assert read(alone, **entry)["genre"][0].tolist() == alone["clip"].tolist()
    found = read(
        clips(root=range(6)), genre={"label": "genre"}, other={"label": "genre", "groups": "root"}
    )
    assert found["other"][0].tolist() == list("012345")
    assert found["genre"][0].tolist() == ["x", "x", "y", "y", "z", "z"]


def test_an_official_split_is_followed():
    split = ["train", "train", "valid", "valid", "test", "test"]
    _, task = read(clips(split=split), genre={"label": "genre"})["genre"]
    assert task.split.tolist() == split
    other = clips(split=split, fold=split[::-1])
    _, task = read(other, genre={"label": "genre", "split": "fold"})["genre"]
    assert task.split.tolist() == split[::-1]


def test_tempos_are_extrapolated():
    """The stimuli's column is a split that probes accept, once tempos are the groups."""
    table = stimuli.clips({"kind": "tempos", "size": "small"})
    entry = {"label": "tempo", "kind": "numbers", "split": "extrapolation"}
    x = np.zeros((len(table), 2))
    groups, task = read(table, tempo=entry | {"groups": "tempo"})["tempo"]
    check({0: x}, {}, {"tempo": task}, groups, ProbeSettings())
    train = task.values[task.split == "train"]
    assert task.values[task.split == "test"].min() < train.min() < train.max() < task.values.max()
    groups, task = read(table, tempo=entry)["tempo"]
    with pytest.raises(RasenError, match="5 groups leak, as group 'sticks'"):
        check({0: x}, {}, {"tempo": task}, groups, ProbeSettings())


@pytest.mark.parametrize(
    ("kind", "label"),
    [("intervals", "interval"), ("scales", "scale"), ("chords", "chord"),
     ("progressions", "progression"), ("time_signatures", "time_signature")],
)  # fmt: skip
def test_small_concepts_can_be_probed_over_instruments_and_roots(kind, label):
    table = stimuli.clips({"kind": kind, "size": "small"})
    for column in ("instrument", "root") if "root" in table else ("instrument",):
        groups, task = read(table, one={"label": label, "groups": column})["one"]
        check({0: np.zeros((len(table), 2))}, {}, {"one": task}, groups, ProbeSettings())
    assert read(table, one={"label": label})["one"][0].tolist() == table["instrument"].tolist()


def test_all_missing_columns_are_told_at_once():
    with pytest.raises(RasenError) as error:
        read(
            clips(),
            one={"label": "gender"},
            two={"label": "genre", "groups": "artist", "song": "songs", "split": "fold"},
            three={"label": ["genre", "loud"], "kind": "tags"},
        )
    told = [line.strip() for line in str(error.value).splitlines()[1:]]
    assert told[0] == "tasks.one.label: the set songs has no column 'gender'; did you mean 'genre'?"
    assert told[1] == (
        "tasks.two.groups: the set songs has no column 'artist'; known: clip, song, genre"
    )
    assert [line.split(":")[0] for line in told] == [
        "tasks.one.label", "tasks.two.groups", "tasks.two.song", "tasks.two.split",
        "tasks.three.label",
    ]  # fmt: skip


# --- frames


def sheet(tmp_path, *lines):
    path = tmp_path / "times.tsv"
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    return str(path)


def test_frames_have_the_labels_of_their_intervals(tmp_path):
    path = sheet(tmp_path, ("clip", "start", "end", "chord"), ("c0", 0, 1, "C"),
                 ("c0", 1, 1.5, "G"), ("c5", 3.5, 4.05, "F"))  # fmt: skip
    entry = {"label": "chord", "kind": "frames", "intervals": path}
    groups, task = of_rows(frames(clips()), chord=entry)["chord"]
    assert task.kind == "classes", "of frames"
    assert task.values.tolist() == ["C"] * 10 + ["G"] * 5 + ["F"] * 5
    assert task.rows.tolist() == [*range(15), *range(235, 240)]
    assert len(groups) == 240
    assert set(groups) == {"x", "y", "z"}


def test_events_lie_in_their_frames(tmp_path):
    path = sheet(tmp_path, ("clip", "time"), ("c0", 0), ("c0", 0.05), ("c1", 1.26), ("c5", 3.99))
    entry = {"label": "beat", "kind": "frames", "intervals": path, "metrics": ["beat_f"]}
    _, task = of_rows(frames(clips()), beat=entry)["beat"]
    assert task.kind == "frames"
    rows = np.flatnonzero(~np.isnan(task.values))
    assert rows.tolist() == [0, 52, 239]
    assert task.values[rows].tolist() == [0, 1.26, 3.99]


@pytest.mark.parametrize("metrics", [None, ["beat_f"]])
def test_times_past_the_end_of_a_clip_are_told(tmp_path, metrics):
    path = sheet(tmp_path, ("clip", "start", "end", "chord"), ("c0", 0, 9, "C"),
                 ("c1", 4.5, 5, "C"), ("c2", 40, 41, "G"))  # fmt: skip
    entry = {"label": "chord", "kind": "frames", "intervals": path, "metrics": metrics}
    with pytest.raises(RasenError) as error:
        of_rows(frames(clips()), chord=entry)
    told = str(error.value)
    assert "line 3: 4.5 s is past the end of c1" in told
    assert "line 4: 40" in told
    assert "line 2" not in told, "an end past the clip's is no mistake"


def test_problems_of_several_tasks_are_told_together(tmp_path):
    path = sheet(tmp_path, ("clip", "start", "end", "chord"), ("c0", 7, 9, "C"))
    entries = {
        "late": {"label": "chord", "kind": "frames", "intervals": path},
        "both": {"label": "chord", "kind": "frames", "intervals": path,
                 "metrics": ["beat_f", "accuracy"]},
        "column": {"label": "chord", "kind": "frames", "intervals": path, "groups": "artist"},
    }  # fmt: skip
    with pytest.raises(RasenError) as error:
        of_rows(frames(clips()), **entries)
    for part in ["tasks.late:", "7 s is past the end of c0",
                 "tasks.both: beat_f are of times and the other metrics of labels",
                 "tasks.column.groups: the set songs has no column 'artist'"]:  # fmt: skip
        assert part in str(error.value), part


def test_labels_of_frames_need_their_column_and_frames(tmp_path):
    path = sheet(tmp_path, ("clip", "start", "end", "chord"), ("c0", 0, 9, "C"))
    entry = {"label": "chords", "kind": "frames", "intervals": path}
    with pytest.raises(RasenError, match="has no column 'chords'; did you mean 'chord'"):
        of_rows(frames(clips()), chord=entry)
    with pytest.raises(RasenError, match="needs a dump of frames; this one has one row a clip"):
        read(clips(), chord=entry)


def test_frames_and_intervals_belong_together():
    for wrong in ({"kind": "frames"}, {"intervals": "a.tsv"}):
        with pytest.raises(RasenError, match="belong together"):
            TaskSettings("songs", "label", **wrong)


# --- the examples in config/README.md

SECTION = (ROOT / "config/README.md").read_text().split("\n## Tasks\n")[1].split("\n## ")[0]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_tasks_are_sound(example):
    config = yaml.safe_load(example)
    model = {"family": "musicgen", "weights": "a/b", "probes": list(config["tasks"])}
    checked = load_config(
        config | {"models": {"m": model}}, ROOT / "workflow/schemas/config.schema.yaml"
    )
    for name, task in checked["tasks"].items():
        TaskSettings(**task)
        assert task["stimuli"] in config["stimuli"], name
        settings = config["stimuli"][task["stimuli"]]
        if settings["kind"] != "audio":
            table = stimuli.clips(settings)
            groups, found = read(
                table, **{name: {k: v for k, v in task.items() if k != "stimuli"}}
            )[name]
            check({0: np.zeros((len(table), 2))}, {}, {name: found}, groups, ProbeSettings())
    assert set(config["stimuli"]) == {task["stimuli"] for task in config["tasks"].values()}


def test_there_is_an_example_of_every_kind_and_metric():
    tasks = [task for text in EXAMPLES for task in yaml.safe_load(text)["tasks"].values()]
    assert len(tasks) >= 4 + 14 + 1
    assert {task.get("kind", "classes") for task in tasks} == {
        "classes",
        "numbers",
        "tags",
        "frames",
    }
    (python,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    compile(python, "README", "exec")
