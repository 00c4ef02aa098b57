"""One job in a process of its own; prints the peak of its main memory and of the GPU's, in GB.

python benchmarks/job.py open|dump FOLDER INPUTS DEVICE BATCH
"""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import torch
from dump_activations import dump_activations

from rasen.device import pick_device
from rasen.measure.activations import DumpSettings
from rasen.measure.interpolate import load_at_point
from rasen.study.recipe import Initialisation, Recipe


def main(what: str, folder: str, inputs: str, device: str, batch: str) -> None:
    recipe = Recipe("musicgen", folder, "linear-0.300", initial=Initialisation())
    if what == "open":
        load_at_point(recipe, pick_device(device))
    else:
        with TemporaryDirectory() as results:
            certificate = Path(results) / "certificate.json"
            certificate.write_text('{"hash": "random weights"}')
            dump_activations(
                recipe,
                Path(inputs),
                certificate,
                Path(results) / "activations.h5",
                Path(results) / "description.json",
                model="benchmark",
                settings=DumpSettings(),
                code="",
                device=device,
                gpus=1,
                batch=int(batch),
            )
    # not getrusage: there the peak of the process that started this one counts
    status = Path("/proc/self/status").read_text()
    main_memory = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e9
    card = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_initialized() else 0.0
    print(main_memory, card)


if __name__ == "__main__":
    main(*sys.argv[1:])
