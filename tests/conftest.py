"""Shared by all tests: no accounts, no leftovers in the environment, the real images where they are."""

import os
from pathlib import Path

import pytest
import torch

os.environ["WANDB_MODE"] = "offline"

# Tiny networks gain nothing from threads, and threads that outnumber the cores wait for each other.
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _state(tmp_path_factory):
    """A key of the tests' own, one for all: runs of module fixtures stay the user's in every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIT_VISION_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, tmp_path_factory):
    """Commands run in this process hand on their run folder and W&B settings by the environment."""
    for name in ("LIT_VISION_RUN", "WANDB_API_KEY", "PL_GLOBAL_SEED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def real_images() -> Path:
    """Folder of the real images (CIFAR-10 as JPEG, COCO, blood cells, ImageNet photographs)."""
    folder = os.environ.get("LIT_VISION_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LIT_VISION_DATA names no folder with the real images")
    return Path(folder)
