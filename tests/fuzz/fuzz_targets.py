"""All that is fuzzed, and what each reader may accept.

A refusal is an error by which the reader refuses (``UserError``), in one printable line
that names the file. What is not refused must be

* for formats with sums (PyTorch's zip archives, PNG): exactly what was in the file
  before it was changed;
* for weights without sums (ncnn, ``.pdparams``, PyTorch before 1.6, and archives
  whose sums were made right again): the same entries with the same shapes and types,
  and finite numbers. That a number is another one cannot be known;
* for ``.param``: each word of the text read, none passed over;
* for COCO's JSON and boxes: sound by a check that is written down here once more
  (:func:`coco_targets.is_sound`), or the fault named in what is printed. A number that
  has become another sensible number, and a repeated key, of which Python takes the
  last, cannot be known. A mended copy must be sound, and have no error left;
* for lists of masks: only masks that were there are copied, under their names, with
  values that are classes or ignored;
* for polygons, label ids and lists of frames: classes on as many pixels as the file
  says, from points that are numbers; a frame for each line; of archives only files
  that were in them;
* for logs: a row for each line, with all its numbers; a last line that is cut off is
  named;
* for JPEG, BMP, WebP, TIFF and films: 8 bits in three channels; where the end of a
  picture was cut off, the very same pixels. Other damage cannot be known;
* for ONNX: finite weights, and on an image results of the shapes that the file tells;
* for dumps: as many samples, of the same shapes, in finite numbers;
* for a work folder: the newest checkpoint exactly as it was, or the one before it,
  with the newest named as damaged.
"""

from coco_targets import TARGETS as ANNOTATIONS
from image_targets import TARGETS as IMAGES
from json_targets import TARGETS as JSON_FILES
from ncnn_targets import TARGETS as NCNN
from other_targets import TARGETS as OTHERS
from preparation_targets import TARGETS as PREPARATION
from weight_targets import TARGETS as WEIGHTS

TARGETS = [*WEIGHTS, *NCNN, *ANNOTATIONS, *JSON_FILES, *IMAGES, *PREPARATION, *OTHERS]
