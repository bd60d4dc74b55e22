"""What ``tools/train.py`` and ``tools/test.py`` are made of."""

import litehrnet_mm.engine.regular_files  # noqa: F401  # registers its backend
