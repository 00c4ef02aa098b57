"""SongBloom: train it and let it sing, in a notebook or by the workflow.

    from rasen.songbloom import preset, SongBloom, train, generate

    net = SongBloom(preset("toy")); out = net(batch)      # out.lm, out.flow, out.hidden, out.logits
    for step in train(net, windows, settings, state="run/"): ...
    song = generate(net, ids, prompt, seconds=20, seed=0) # sketch [T], latents [T, 64]

The network itself is `rasen.networks.songbloom`, its windows `rasen.songs.dataset`.
"""

from rasen import lazy_exports

_MODULES = {
    "rasen.networks.songbloom": ("SongBloom",),
    "rasen.networks.songbloom_config": ("SongBloomConfig", "preset"),
    "rasen.networks.songbloom_checkpoint": ("read_about", "read_tensors", "write_checkpoint"),
    "rasen.networks.songbloom_init": ("initialised",),
    "rasen.songbloom.batches": ("as_batch", "window_sample"),
    "rasen.songbloom.generation": ("GenerateSettings", "Request", "generate", "generate_batch"),
    "rasen.songbloom.memory": ("step_memory",),
    "rasen.songbloom.settings": ("TrainSettings",),
    "rasen.songbloom.trainer": ("train",),
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names}
__all__ = list(_EXPORTS)
__getattr__ = lazy_exports(__name__, _EXPORTS)
