"""What sae-lens itself makes of SAEs that Rasen wrote, for tests/saelens/test_saelens.py.

    python oracle.py FOLDER

Runs with the python of `envs/saelens.txt`. FOLDER/x.npy are rows; each folder below it that has a
cfg.json is loaded by sae-lens, which writes theirs.npz beside it (activations, reconstruction) and
saves it again to `again/`.
"""

import sys
from pathlib import Path

import numpy as np
import standins
import torch

standins.install()
from sae_lens import SAE  # noqa: E402


@torch.no_grad()
def main(folder):
    x = torch.from_numpy(np.load(folder / "x.npy"))
    for config in sorted(folder.glob("*/cfg.json")):
        sae = SAE.load_from_disk(config.parent)
        activations = sae.encode(x)
        np.savez(
            config.parent / "theirs.npz",
            activations=activations.numpy(),
            reconstruction=sae.decode(activations).numpy(),
            checkpoint=sae.cfg.metadata.point,
            kind=type(sae).__name__,
        )
        sae.save_model(config.parent / "again")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
