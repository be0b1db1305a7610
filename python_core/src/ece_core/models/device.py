"""Which device the networks run on."""

from __future__ import annotations

import re

from ece_core.errors import InputError


def choose_device(name: str = "auto") -> str:
    """The device that a user's choice stands for.

    Parameters
    ----------
    name
        ``"auto"`` (the first CUDA GPU, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Returns
    -------
    str
        ``"cpu"`` or ``"cuda:N"``, as torch names it.

    Raises
    ------
    InputError
        The name is none of these, or this computer has no such GPU.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name):
        raise InputError("There is no device with this name.", "Choose auto, cpu, cuda or cuda:N.")
    if name == "cpu":
        return name
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = int(name.partition(":")[2] or 0)
    if number < gpus:
        return f"cuda:{number}"
    if name == "auto":
        return "cpu"
    raise InputError(
        f"The device {name} is not there: this computer has {gpus} GPU(s) that torch can use.",
        "Choose auto or cpu, or see `ece doctor`.",
    )
