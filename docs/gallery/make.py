"""Copy the demo's figures into the gallery, with coordinates to a hundredth of a point.

python docs/gallery/make.py results/figures        (make gallery)
"""

import re
import sys
from pathlib import Path

FIGURES = {  # name in the gallery: figure of the demo
    "perplexity.svg": "perplexity/nano.svg",
    "helix-layers.svg": "helix/nano/layers.svg",
    "helix-alpha.svg": "helix/nano/alpha.svg",
    "helix-routes.svg": "helix/nano/routes.svg",
    "helix-curves.svg": "helix/nano/curves.svg",
    "lens.svg": "lens/nano.svg",
    "probes-profiles.svg": "probes/nano/profiles.svg",
    "probes-choice.svg": "probes/nano/choice.svg",
    "probes-concepts.svg": "probes/nano/concepts.svg",
    "similarity.svg": "probes/nano/similarity-cka.svg",
    "sae-labels.svg": "sae/nano/labels-layer-4.svg",
    "sae-flow.svg": "sae/nano/flow-layer-4.svg",
    "sae-grid.svg": "sae/nano/grid-layer-4.svg",
}
HERE = Path(__file__).parent


def make_gallery(figures: Path) -> None:
    """Write all figures anew."""
    for name, figure in FIGURES.items():
        text = (figures / figure).read_text(encoding="utf-8")
        (HERE / name).write_text(shortened(text), encoding="utf-8")


def shortened(svg: str) -> str:
    """The same picture with two decimals, of which a screen shows no more; texts as they are."""

    def in_tag(tag):
        return re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", tag[0])

    return re.sub(r"<[^>]*>", in_tag, svg)


if __name__ == "__main__":
    make_gallery(Path(sys.argv[1]))
