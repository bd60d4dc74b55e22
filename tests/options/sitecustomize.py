"""Python imports this as it starts where the folder is on ``PYTHONPATH``."""

import os

from ignoring import VARIABLE, ignore_option

if os.environ.get(VARIABLE):
    ignore_option(os.environ[VARIABLE])
