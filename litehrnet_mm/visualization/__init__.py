"""Pictures of poses: drawing, captions, ground truth beside prediction, charts."""

from litehrnet_mm.visualization.comparison import compare_person, compare_poses
from litehrnet_mm.visualization.pictures import (
    PAPER,
    make_grid,
    read_image,
    write_image,
)
from litehrnet_mm.visualization.poses import (
    MIN_SCORE,
    PoseStyle,
    as_annotation,
    draw_people,
)

__all__ = [
    'MIN_SCORE',
    'PAPER',
    'PoseStyle',
    'as_annotation',
    'compare_person',
    'compare_poses',
    'draw_people',
    'make_grid',
    'read_image',
    'write_image',
]
