"""Train the reference in idiomatic PyTorch; runs in an environment that only has PyTorch.

python pytorch_lstm.py WINDOWS.npz UNITS EPOCHS BATCH_SIZE
"""

import json
import sys
import time

import numpy as np
import torch  # type: ignore[import-not-found]
from torch import nn
from torch.utils.data import DataLoader, TensorDataset  # type: ignore[import-not-found]


class Forecaster(nn.Module):  # type: ignore[misc]
    """An LSTM and a linear layer on its last output."""

    def __init__(self, features: int, units: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, units, batch_first=True)
        self.output = nn.Linear(units, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, steps, features) to (batch, outputs)."""
        hidden, _ = self.lstm(x)
        return self.output(hidden[:, -1])


def main(path: str, units: int, epochs: int, batch_size: int) -> None:
    """Train, and print the seconds and the last epoch's mean loss."""
    with np.load(path) as arrays:
        inputs, targets = (torch.from_numpy(arrays[name]) for name in ("inputs", "targets"))
    torch.manual_seed(0)
    started = time.perf_counter()
    network = Forecaster(inputs.shape[-1], units, targets.shape[-1])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    measure = nn.MSELoss()
    batches = DataLoader(TensorDataset(inputs, targets), batch_size=batch_size, shuffle=True)
    loss = 0.0
    for _ in range(epochs):
        total = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            error = measure(network(x), y)
            error.backward()
            optimizer.step()
            total += error.item() * len(x)
        loss = total / len(inputs)
    print(json.dumps({"seconds": time.perf_counter() - started, "loss": loss}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(number) for number in sys.argv[2:5]))
