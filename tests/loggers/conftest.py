import pytest
import wandb

from lit_vision.loggers import wandb_files


@pytest.fixture(autouse=True)
def _own_service(monkeypatch, tmp_path):
    """W&B's service reads the environment once: each test gets its own, and none sees the user's account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(wandb_files, "_ours", {})
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, "")  # as good as unset, and what a run sets is taken back after the test
    wandb.teardown()
    yield
    wandb.teardown()
