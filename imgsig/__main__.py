"""``python -m imgsig``: the command line."""

import sys

from imgsig.cli import main

sys.exit(main())
