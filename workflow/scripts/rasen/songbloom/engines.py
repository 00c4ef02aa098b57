"""How one network is trained by one process or by many: the same steps, the same losses.

single  one process
ddp     a whole copy in every process, gradients averaged
fsdp    torch's FSDP2: every layer's weights, gradients and moments shared out over the processes
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from rasen.networks.songbloom import Batch, Output, SongBloom

# logits are a view of a product; nothing writes into them
warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")


def processes() -> tuple[int, int]:
    """(rank, processes) of this run, as torchrun tells them; (0, 1) without it."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """The processes of torchrun joined for as long as this lasts; nothing where there is one."""
    if processes()[1] == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


class Engine:
    """A network ready for training: run it, add gradients up, and see it as one again."""

    def __init__(self, network: SongBloom, kind: str) -> None:
        self.network, self.kind = network, kind
        self.rank, self.world = processes()
        self.device = network.bos_token.device
        self.module: torch.nn.Module = network
        if kind == "fsdp":
            for layer in [*network.ar_transformer.layers, *network.nar_dit.layers]:
                fully_shard(layer)
            fully_shard(network)
        elif kind == "ddp":
            self.module = DistributedDataParallel(network)

    def run(self, batch: Batch) -> Output:
        """A forward pass; all processes make as many."""
        return self.module(batch)

    @contextmanager
    def adding(self, last: bool) -> Iterator[None]:
        """Gradients inside are kept to the process until the `last` part of a step."""
        if self.kind == "ddp" and not last:
            with self.module.no_sync():
                yield
            return
        if self.kind == "fsdp":
            self.network.set_requires_gradient_sync(last)
        yield

    def total(self, *numbers: float) -> list[float]:
        """Numbers summed over all processes, in float64."""
        if self.world == 1:
            return [float(number) for number in numbers]
        summed = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(summed)
        return summed.tolist()

    def greatest(self, number: float) -> float:
        """The greatest of the processes' numbers."""
        if self.world == 1:
            return float(number)
        most = torch.tensor([number], dtype=torch.float64, device=self.device)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return float(most)

    def wait(self) -> None:
        """Until every process has come here."""
        if self.world > 1:
            dist.barrier()

    def whole_state(self, average: Mapping[str, torch.Tensor] | None) -> dict[str, Any]:
        """The network's tensors whole, on the CPU of the first process (others: empty).

        average: tensors that stand in for parameters of their names. All processes must ask.
        """
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        parameters = dict(self.network.named_parameters())
        own = {name: parameters[name].detach().clone() for name in average or {}}
        with torch.no_grad():
            for name, tensor in (average or {}).items():
                parameters[name].copy_(tensor)
            state = get_model_state_dict(self.network, options=options)
            # on one CPU these are the network's own tensors, which go on changing
            state = {name: tensor.clone() for name, tensor in state.items()}
            for name, tensor in own.items():
                parameters[name].copy_(tensor)
        return state


def gradient_norm(parameters: list[torch.nn.Parameter], most: float) -> float:
    """The norm of all gradients, which are scaled down to at most `most`."""
    norm = torch.nn.utils.clip_grad_norm_(parameters, most)
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)


def local_part(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor that may be shared out."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
