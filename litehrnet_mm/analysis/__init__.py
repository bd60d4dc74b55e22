"""What networks cost, and what their results say."""

from litehrnet_mm.analysis.complexity import Complexity, Stage, measure

__all__ = ['Complexity', 'Stage', 'measure']
