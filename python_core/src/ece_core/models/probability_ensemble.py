"""Several trainings of one network as one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class ProbabilityEnsemble(nn.Module):
    """Logits whose softmax is the mean of the members' probabilities, so that inference need not know of members."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        total = self.members[0](x).softmax(1)
        for member in self.members[1:]:
            total = total + member(x).softmax(1)
        # Never the logarithm of 0: a probability below 1e-12 is as good as none.
        return (total / len(self.members)).clamp(min=1e-12).log()
