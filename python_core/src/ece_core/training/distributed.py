"""Several processes that train one network together, one per GPU: what `torchrun` started, or one alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from ece_core.training.torchrun import number_on_this_computer, process_count

LONGEST_WAIT = timedelta(days=7)  # the first process prepares the data, for hours perhaps; the others wait


@dataclass(frozen=True)
class Processes:
    """This process among those that share the training.

    Parameters
    ----------
    rank, count
        Its number, from 0, and how many there are.
    device
        Its own.
    """

    rank: int
    count: int
    device: str

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes files and reports."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()

    def parallel(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over the processes."""
        if self.count == 1:
            return network
        on_gpu = self.device.startswith("cuda")
        if on_gpu:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        devices = [torch.device(self.device)] if on_gpu else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Joins the processes that `torchrun` started; alone without it.

    Parameters
    ----------
    device
        "cpu" or "cuda:N"; of several processes each takes the GPU of its number.
    """
    count = process_count()
    if count == 1:
        yield Processes(0, 1, device)
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{number_on_this_computer()}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=LONGEST_WAIT)
    try:
        yield Processes(distributed.get_rank(), count, device)
    finally:
        distributed.destroy_process_group()


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum over all processes, through which gradients flow; of one alone its own values."""
    if not distributed.is_initialized():
        return values
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(values)
