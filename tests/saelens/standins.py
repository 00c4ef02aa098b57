"""Makes `import sae_lens` possible with a dozen packages instead of a hundred.

sae-lens imports language models, data sets, plots and trackers at its top. An SAE that is loaded
from a folder or trained on an iterator of tensors uses none of them; each stand-in below can be
imported and subclassed, and raises when it is called. Of transformer-lens, two things are really
used: hook points, which pass a tensor on, and their root module.
"""

import importlib.abc
import importlib.machinery
import sys
import types

import torch

STAND_INS = {
    "babe": "text statistics",
    "datasets": "text data",
    "dotenv": "keys of services",
    "huggingface_hub": "downloads; SAEs are local folders here",
    "nltk": "text",
    "plotly": "plots",
    "plotly_express": "plots",
    "requests": "downloads",
    "scipy": "an evaluation",
    "tenacity": "retries of downloads",
    "transformer_lens": "language models with hooks",
    "transformers": "language models",
    "wandb": "a tracker",
    # of dictionary_learning and sparsify, the peers of benchmarks/sae.py
    "accelerate": "large models",
    "circuitsvis": "plots",
    "matplotlib": "plots",
    "natsort": "order of folders",
    "nnsight": "language models with hooks",
    "schedulefree": "another optimiser",
    "umap": "plots",
    "zstandard": "text data",
}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the names of STAND_INS, and anything below them, as empty modules."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in STAND_INS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


class StandIn(types.ModuleType):
    """A module of which every public attribute is a class that refuses to be instantiated."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        owner = self.__name__

        def refuse(cls, *args, **kwargs):
            raise RuntimeError(f"{owner}.{name} is a stand-in and was called")

        made = type(name, (), {"__new__": refuse})
        setattr(self, name, made)
        return made


class HookedRootModule(torch.nn.Module):
    """A module that would keep a list of its hook points."""

    def setup(self):
        pass


def install():
    """Put the stand-ins in place; call it before importing sae_lens."""
    sys.meta_path.insert(0, Finder())
    importlib.import_module("transformer_lens.hook_points").HookPoint = torch.nn.Identity
    hooked = importlib.import_module("transformer_lens.HookedTransformer")
    hooked.HookedRootModule = HookedRootModule
