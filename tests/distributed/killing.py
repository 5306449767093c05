"""What the ranks of `test_killed` do: commands that may end with any exit code, and a rank zero that is late."""

import os
import time
from pathlib import Path

from lit_vision import cli
from lit_vision.runs import durable
from tests.distributed import commands


def command(arguments):
    """`lit-vision`; its exit code goes to `code<rank>`."""
    code = cli.main([*arguments, *commands.devices()])
    Path(f"code{os.environ.get('RANK', '0')}").write_text(str(code))


def late(arguments):
    """The same, where rank zero takes its time to bring the checkpoint before the last back."""
    put = durable.put

    def slowly(source, path):
        if "damaged" in path.name or "previous" in source.name:
            time.sleep(1)
        put(source, path)

    if os.environ.get("RANK") == "0":
        durable.put = slowly
    command(arguments)
