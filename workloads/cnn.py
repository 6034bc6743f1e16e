"""A small network of plain torch layers only, to show that archsim also traces those, as multi-bit layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PlainCNN(nn.Module):
    """Two convolutions and a linear layer with ordinary Monte-Carlo dropout of rate `p`, for 8x8 grey images."""

    def __init__(self, p: float = 0.2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.drop2 = nn.Dropout2d(p)
        self.fc1 = nn.Linear(64, 48)
        self.drop3 = nn.Dropout(p)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 1, 8, 8) to class scores (N, 10)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = torch.flatten(self.drop2(x), 1)
        x = self.drop3(F.relu(self.fc1(x)))
        return self.fc2(x)  # type: ignore[no-any-return]
