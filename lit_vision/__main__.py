"""`python -m lit_vision`."""

import sys

from lit_vision.cli import main

sys.exit(main())
