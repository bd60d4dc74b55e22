from coco_targets import TARGETS as JSON_FILES
from image_targets import TARGETS as IMAGES
from other_targets import TARGETS as OTHERS
from weight_targets import TARGETS as WEIGHTS

TARGETS = [*WEIGHTS, *JSON_FILES, *IMAGES, *OTHERS]
