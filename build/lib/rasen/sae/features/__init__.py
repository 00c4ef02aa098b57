"""What the features of a trained SAE mean, and how they change along a route.

from rasen.sae import features

tally = features.tally.of_dump(sae, "nano/trained/melodies.h5", layer=2)
examples = features.tally.examples(tally)                # strong examples, the seed's rule
features.language.tendency(tally, examples, words)       # ja | en | mixed
features.granularity.classify(tally, examples, words, vocabulary=..., vectors=...)
found = features.tags.of_table(features.tags.musical(clips))
features.labels.label(*features.labels.by_clip(tally), found, seed=0)
features.match.match(before, after)                      # two features.match.Side
"""

from rasen import lazy_exports

__all__ = ["exchange", "granularity", "labels", "language", "match", "sheet", "tags", "tally"]
__getattr__ = lazy_exports(__name__, {name: f"{__name__}.{name}" for name in __all__})
