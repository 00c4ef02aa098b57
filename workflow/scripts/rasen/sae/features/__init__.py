"""What the features of a trained SAE mean, and how they change along a route.

from rasen.sae import features

tally = features.tally.tally_dump(sae, "nano/trained/melodies.h5", layer=2)   # test clips
examples = features.tally.strong_examples(tally)               # as Inaba et al. 2025
features.language.language_tendency(tally, examples, words)    # ja | en | mixed | neutral
features.granularity.classify(tally, examples, words, vocabulary=..., vectors=...)
units = features.labels.by_clip(tally)
tags = features.tags.tags_of_table(features.tags.with_pitch_class(clips.iloc[units.clip]))
features.labels.label_features(units.activations, units.group, tags, seed=0)
features.match.match_features(before, after)                   # two PointFeatures of match
"""

from rasen import lazy_exports

__all__ = [
    "clap",
    "exchange",
    "granularity",
    "intervals",
    "labels",
    "language",
    "match",
    "seeds",
    "sheet",
    "tags",
    "tally",
    "words",
]
__getattr__ = lazy_exports(__name__, {name: f"{__name__}.{name}" for name in __all__})
