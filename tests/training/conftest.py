"""What the tests of training share."""

import pytest
import torch

from dcgan.training import loop

from .tiny import due_by_steps


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """One thread: small networks gain nothing from a second, and bits depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def by_steps(monkeypatch):
    """Journal, samples and checkpoints fall due by steps in place of seconds."""
    monkeypatch.setattr(loop._Session, "_due", due_by_steps)
