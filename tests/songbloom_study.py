"""A study of a few short songs of noise, on which tiny SongBlooms are trained."""

from copy import deepcopy

import numpy as np
import soundfile
import yaml
from study import ROOT, Study

SONGS, RATE, SECONDS = 6, 8000, 3.0
TRAIN = {"steps": 30, "batch": 2, "at_once": 2, "seconds": 1.28, "lr": 1.0e-3, "warmup": 2}
TRAIN |= {"save": 5, "validate": 10, "validation_windows": 2, "keep": [5, 10]}
NETWORK = {"width": 96, "heads": 3, "mlp": 1, "lyrics_rows": 40}
RUN = {"preset": "toy", "network": NETWORK, "train": TRAIN, "device": "cpu", "memory": 1500}


def noise_songs(folder, *runs):
    """The study with its songs and some equal runs; nothing is run."""
    (folder / "audio").mkdir()
    for number in range(SONGS):
        rng = np.random.default_rng(number)
        sound = 0.1 * rng.standard_normal(int(RATE * SECONDS)).cumsum() / 30
        soundfile.write(folder / f"audio/{number}.wav", np.clip(sound, -0.9, 0.9), RATE)
    (folder / "resources").mkdir()
    (folder / "resources/songs").symlink_to(ROOT / "resources/songs")
    (folder / "config").mkdir()
    config = {
        "songs": {
            "sheet": "config/songs.tsv",
            "batch": 8,
            "shortest": 1,
            "longest": 4,
            "threads": 1,
            "memory": 1500,
            "separate": {"model": None},
            "align": {"whisper": None, "aligners": {"en": "resources/songs/models/aligner"}},
            "sketch": {"model": "resources/models/demo-muq", "layer": 2, "codes": 16},
            "latents": {"model": "resources/models/demo-vae"},
            "filters": {"duplicates": False, "silence": 1, "clipping": 1},
            "splits": {"valid": 0.5, "test": 0},
        },
        "songbloom": {"runs": {name: deepcopy(RUN) for name in runs}},
    }
    config["songs"]["sketch"]["sample"] = 100
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    rows = [f"s{n}\t../audio/{n}.wav\tinst\tartist {n}\n" for n in range(SONGS)]
    (folder / "config/songs.tsv").write_text("song\taudio\tlyrics\tartist\n" + "".join(rows))
    return Study(folder)
