"""Write results/README.md: what lies where, in which units, and how to load it."""
# ruff: noqa: E501 (tables of Markdown have long lines)

from pathlib import Path

from rasen import command, store

TEXT = """\
# Results of Rasen

Every row and file belongs to a **model**, a **point** (one set of weights: `untrained`, `trained`,
`linear-0.900`, `gradient-0.250`, `step-000500`) and, where it has clips, a **stimulus set**.

| path | what |
|---|---|
| `tables/points.parquet` | `model, route, point, position`: the order of points along each route. `position` is alpha (linear, gradient) or the training step (step) |
| `tables/perplexity.parquet` | per point and `group` (each codebook, and their `mean`): `loss` (nats), `perplexity`, its 95 % bootstrap interval over clips (`low`, `high`), `clips`, `targets` |
| `tables/gradient.parquet` | per gradient point and step: `eta`, `loss_before`, `loss_after` (nats, on D), `change` = norm of the step / norm of the weights |
| `figures/` | pictures (SVG) |
| `stimuli/{stimuli}.parquet` | one row a clip: how it was rendered or read, and its labels |
| `inputs/{model}/{stimuli}.h5` | the clips as the model reads them (tokens) |
| `activations/{model}/{point}/{stimuli}.h5` | `layers/NN` [rows, dim], one row a clip (a frame with `pool: all`; then `rows/clip` and `rows/frame` say which); `clips/` repeats the sheet; attributes: recipe of the weights, hashes of weights and stimuli, what each layer is |
| `perplexity/`, `gradient/` | per point, before they are gathered into tables |
| `weights/{model}/{checkpoint}.json` | hashes of the checkpoints that everything rests on |
| `export/{model}/{point}/` | points saved as checkpoint folders (only when asked for) |
| `benchmarks/` | time and memory of the jobs |

```python
import h5py, pandas as pd
ppl = pd.read_parquet("tables/perplexity.parquet").query("group == 'mean'")
with h5py.File("activations/nano/trained/notes.h5") as file:
    pitch = file["clips/pitch"][:]      # [clips]
    layer = file["layers/06"][:]        # [clips, dim]
```
"""


def write_readme(readme: Path):
    """Write the page."""
    store.write_text(readme, TEXT)


if __name__ == "__main__":
    command.run(write_readme)
