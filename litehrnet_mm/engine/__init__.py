"""What ``tools/train.py`` and ``tools/test.py`` are made of."""
