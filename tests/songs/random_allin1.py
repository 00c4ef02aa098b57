"""All-In-One with random weights, in the format of its checkpoints, run on a song made of noise.

    python random_allin1.py FOLDER

Runs with the python of `envs/allin1.txt`, for test_allin1.py. FOLDER gets two checkpoints, and
found.json with what the ensemble of both, and each alone, says.
"""

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import torch  # noqa: E402

from rasen.songs.structure import allin1, allin1_json, find_sections  # noqa: E402

RATE, SECONDS = 22_050, 20
NAMES = ("harmonix-fold0-0vra4ys2.pth", "harmonix-fold1-3ozjhtsj.pth")


def save_random(path, seed):
    """A checkpoint of the genuine format: {"config", "state_dict"}; a small network."""
    allinone, _ = allin1.import_networks()
    from allin1_infer.config import Config, HarmonixConfig
    from omegaconf import OmegaConf

    torch.manual_seed(seed)
    config = OmegaConf.structured(Config(data=HarmonixConfig(), depth=3))
    config.best_threshold_beat = config.best_threshold_downbeat = 0.05
    model = allinone.AllInOne(config)
    with torch.no_grad():  # heads that decide something
        for head in (model.section_classifier, model.beat_classifier, model.downbeat_classifier):
            head.classifier.weight.mul_(3)
            head.classifier.bias.zero_()
    state = {"config": OmegaConf.to_container(config), "state_dict": model.state_dict()}
    torch.save(state, path)


def main(folder):
    found = {}
    rng = np.random.default_rng(0)
    time = np.arange(RATE * SECONDS) / RATE
    beat = (time % 0.5 < 0.05) * (1 + (time > 10))
    stems = {
        "vocals": (rng.standard_normal((2, len(time))) * 0.1 * (time > 5)).astype("f4"),
        "accompaniment": (rng.standard_normal((2, len(time))) * 0.3 * beat).astype("f4"),
    }
    four = {**stems, "other": stems["accompaniment"]} | dict.fromkeys(
        ("bass", "drums"), np.zeros_like(stems["vocals"])
    )
    del four["accompaniment"]
    for seed, name in enumerate(NAMES):
        (folder / name[:14]).mkdir()
        save_random(folder / name, seed)
        save_random(folder / name[:14] / name, seed)
    for name in ("", *(name[:14] for name in NAMES)):
        model = allin1.open_model(folder / name)
        for kind, each in (("two", stems), ("four", four)):
            table = find_sections("allin1", each, RATE, model=model)
            found[name + kind] = {**allin1_json(table, "x"), "confidence": [*table["confidence"]]}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
