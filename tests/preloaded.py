"""What the fork server imports and does once, so that no process that it forks has to. Starts no thread."""

import fsspec.implementations.local  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch
import wandb.apis.public
import wandb.sdk.launch  # noqa: F401
from PIL import Image

from lit_vision.session import request, resolution, session, stages  # noqa: F401
from tests.cli import processes  # noqa: F401
from tests.distributed import commands, killing, sync, world  # noqa: F401
from tests.sweeps import boards  # noqa: F401

# A process that is forked has none of the threads of its parent, but the locks that they held.
torch.set_num_threads(1)
Image.init()

# The parser of arguments remembers the signatures and docstrings that it has read, for a quarter of a short run's time.
for recipe in ("quickstart/digits", "quickstart/digit_scenes"):
    resolution.resolved(request.resolve(request.Request("fit", configs=[recipe])))
