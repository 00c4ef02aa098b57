"""The families of models: what is known of each without importing it.

A new family is one file in `rasen/families/` and one entry here. The config's schema, the checks
before a run and the rules all ask this table, so no other module names a family.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TRANSFORMERS_FILES = ("*.safetensors", "pytorch_model*.bin")
SONGBLOOM_FILES = (
    "model.safetensors",
    "songbloom_full_150s.pt",
    "songbloom_full_240s.pt",
    "songbloom_*.pt",
)
SONGBLOOM_READER = "rasen.networks.songbloom_checkpoint:read_checkpoint"
VAE_FILES = ("*vae*.safetensors", "autoencoder*.ckpt", "*.safetensors")
TRANSFORMERS_READER = "rasen.weights.lazy_tensors:read_checkpoint"
# "": losses
EVERY_STAGE = (
    "encode", "activations", "frames", "gradient", "finetune", "recovery", "export", "",
)  # fmt: skip


@dataclass(frozen=True)
class Option:
    """A setting that models of one family have beside those of every model.

    schema:          its JSON schema, with description and default
    stages:          the stages whose results depend on it, of EVERY_STAGE
    weight_files:    patterns of the files of the checkpoint that it names, best first (none: it
                     names none)
    file:            whether it names a file
    songs:           the place below `songs` of the config where its value is, if it has none
    required:        whether a model that is shown stimuli needs it
    """

    schema: Mapping[str, Any]
    stages: tuple[str, ...]
    weight_files: tuple[str, ...] = ()
    file: bool = False
    songs: str = ""
    required: bool = False


@dataclass(frozen=True)
class FamilyEntry:
    """What is known of a family before it is imported.

    module:        its module, with the class under the name FAMILY
    reads:         what a stimulus is to it
    loss:          the kind of loss that it trains on, None where it has none that can be measured
    weight_files:  patterns of the files that hold its weights, best first
    reader:        "module:function" that reads a checkpoint folder: its files, {name: LazyTensor}
    layer_keys:    where config.json has the number of layers, e.g. "decoder.num_hidden_layers";
                   {option} is the place of the model's choice among those of the option
    foreign_targets: what config.json says is true of a model whose targets are not in its
                   checkpoint, so that it has no loss
    init_rules:    the rules of its own by which theta_init can be drawn
    batch_norm:    whether it has batch norms
    environment:   in which its jobs run (envs/NAME.txt)
    encoding:      in which stimuli are encoded for it, where that is another one
    windows:       whether windows of the songs' shards are stimuli of it, too
    """

    module: str
    reads: Literal["audio", "text"]
    loss: Literal["next", "masked"] | None
    weight_files: tuple[str, ...] = TRANSFORMERS_FILES
    reader: str = TRANSFORMERS_READER
    layer_keys: tuple[str, ...] = ()
    foreign_targets: tuple[str, ...] = ()
    init_rules: tuple[str, ...] = ("official", "hf")
    batch_norm: bool = False
    environment: str = "core"
    encoding: str = ""
    windows: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)


DELAY = Option(
    {
        "description": "activations with the delay pattern of the training (true), or with all "
        "codebooks of a frame at once, as SynTheory feeds it (false); losses and SAEs use the "
        "pattern",
        "type": "boolean",
        "default": True,
    },
    stages=("activations", "finetune"),
)
CODEC = Option(
    {
        "description": "EnCodec in transformers' layout, local folder or hub id",
        "type": ["string", "null"],
        "default": None,
    },
    stages=("encode", "export"),
    weight_files=TRANSFORMERS_FILES,
    required=True,
)
WINDOW = Option(
    {
        "description": "tokens of a document that are read, the BOS token included",
        "type": "integer",
        "minimum": 2,
        "maximum": 1_000_000,
        "default": 65,
    },
    stages=("encode",),
)
LEVEL = Option(
    {
        "description": "which of the three priors is run and interpolated, by the codes that it "
        "predicts: bottom (5512.5 a second), middle (1378.1) or top (344.5)",
        "type": "string",
        "enum": ["top", "middle", "bottom"],  # as the checkpoint numbers them
        "default": "bottom",
    },
    stages=EVERY_STAGE,
)
SONGBLOOM = {
    "muq": Option(
        {
            "description": "MuQ of the sketch, local folder or hub id (default: that of the songs)",
            "type": ["string", "null"],
            "default": None,
        },
        stages=("encode",),
        weight_files=("*.safetensors",),
        songs="sketch.model",
        required=True,
    ),
    "muq_layer": Option(
        {
            "description": "its layer that becomes the sketch (default: that of the songs)",
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": 1000,
            "default": None,
        },
        stages=("encode",),
        songs="sketch.layer",
        required=True,
    ),
    "codebook": Option(
        {
            "description": "file with the codebook of the sketch (default: that of the songs)",
            "type": ["string", "null"],
            "default": None,
        },
        stages=("encode",),
        file=True,
        songs="sketch.codebook",
        required=True,
    ),
    "vae": Option(
        {
            "description": "VAE of the latents, folder or hub id (default: that of the songs)",
            "type": ["string", "null"],
            "default": None,
        },
        stages=("encode",),
        weight_files=VAE_FILES,
        songs="latents.model",
        required=True,
    ),
    "times": Option(
        {
            "description": "t (0: sound, 1: noise) at which the layers of the DiT are read, too: "
            "they follow those of the decoder, time by time",
            "type": "array",
            "uniqueItems": True,
            "items": {"type": "number", "minimum": 0, "maximum": 1},
            "default": [],
        },
        stages=("activations", "frames", "finetune", "recovery"),
    ),
}
FAMILIES = {
    "musicgen": FamilyEntry(
        module="rasen.families.musicgen",
        reads="audio",
        loss="next",
        layer_keys=("decoder.num_hidden_layers", "num_hidden_layers"),
        options={"delay": DELAY},
    ),
    "audiocraft": FamilyEntry(
        module="rasen.families.audiocraft",
        reads="audio",
        loss="next",
        weight_files=("state_dict.bin",),
        reader="rasen.families.audiocraft_checkpoint:read_checkpoint",
        options={"delay": DELAY, "codec": CODEC},
    ),
    "muq": FamilyEntry(
        module="rasen.families.muq",
        reads="audio",
        init_rules=("official",),
        batch_norm=True,
        loss="masked",
        layer_keys=("encoder_depth",),
        foreign_targets=("use_rvq_target", "use_vq_target", "use_encodec_target"),
    ),
    "musicfm": FamilyEntry(
        module="rasen.families.musicfm",
        reads="audio",
        init_rules=("official",),
        batch_norm=True,
        loss="masked",
        weight_files=("pretrained_msd.pt", "pretrained_*.pt"),
        reader="rasen.families.musicfm:read_checkpoint",
    ),
    "mert": FamilyEntry(
        module="rasen.families.mert",
        reads="audio",
        init_rules=("official",),
        loss=None,
        layer_keys=("num_hidden_layers",),
    ),
    "causal_lm": FamilyEntry(
        module="rasen.families.causal_lm",
        reads="text",
        loss="next",
        layer_keys=("num_hidden_layers", "n_layer"),
        options={"window": WINDOW},
    ),
    "jukebox": FamilyEntry(
        module="rasen.families.jukebox",
        reads="audio",
        loss="next",
        layer_keys=("prior_{level}.num_layers", "prior_config_list.{level}.num_layers"),
        environment="jukebox",
        options={"level": LEVEL},
    ),
    "songbloom": FamilyEntry(
        module="rasen.families.songbloom",
        reads="audio",
        loss="next",
        weight_files=SONGBLOOM_FILES,
        reader=SONGBLOOM_READER,
        init_rules=("official",),
        encoding="songs",
        windows=True,
        options=SONGBLOOM,
    ),
}


def foreign_options(family: str) -> dict[str, Option]:
    """Settings that models of other families have, and those of this one have not."""
    options = {name: about for entry in FAMILIES.values() for name, about in entry.options.items()}
    own = FAMILIES[family].options
    return {name: about for name, about in options.items() if name not in own}


def options_of(model: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Those settings of a model entry of the config that a stage's result depends on."""
    options = FAMILIES[model["family"]].options
    return {
        name: model[name]
        for name, option in options.items()
        if stage in option.stages and model[name] is not None
    }
