"""Fast inference: an exact rewriting, and what exports and runs it.

Lite-HRNet has few multiplications and many operators that only move data: splits,
joins, shuffles, gates repeated to full size. :func:`rewrite` removes them:

- BatchNorm is folded into convolutions.
- Blocks work on all channels; those that should pass are left as they are by gates of
  one and kernels of one. A channel shuffle then renames channels, and the next weights
  are arranged accordingly.
- Spatial weighting waits for the next product at full resolution.
- Maps are upsampled where they are smallest, each fuse layer is computed once.
"""

from litehrnet_mm.deploy.rewrite import rewrite

__all__ = ['rewrite']
