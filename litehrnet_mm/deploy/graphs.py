"""What goes into an exported file around the network: preprocessing, output, names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor, nn

from litehrnet_mm.cli import UserError
from litehrnet_mm.deploy.plan import Wanted
from litehrnet_mm.engine.options import is_pose, is_segmentation

POSE_OUTPUTS = dict(
    MSRAHeatmap=('heatmaps',),
    UDPHeatmap=('heatmaps',),
    SimCCLabel=('simcc_x', 'simcc_y'),
    RegressionLabel=('coordinates',),
)
"""Names of what the heads of MMPose put out, by their codec."""


class Normalisation(nn.Module):
    """From images as OpenCV reads them to what a network takes.

    Args:
        preprocessor: The ``data_preprocessor`` of the config's model, with ``mean``,
            ``std`` (both in the order the network sees) and ``bgr_to_rgb``.
    """

    def __init__(self, preprocessor: dict) -> None:
        super().__init__()
        self.flip = bool(preprocessor.get('bgr_to_rgb'))
        for name, default in (('mean', 0.0), ('std', 1.0)):
            value = torch.tensor(preprocessor.get(name) or [default] * 3)
            self.register_buffer(name, value.float().view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(N, H, W, 3)``, uint8, BGR to ``(N, 3, H, W)``."""
        x = images.permute(0, 3, 1, 2).to(self.mean.dtype)
        if self.flip:
            x = x.flip(1)
        return (x - self.mean) / self.std


class HeatmapDecoder(nn.Module):
    """The decoding of MMPose's ``MSRAHeatmap``, as part of the graph.

    The place of the maximum, moved by a quarter of a pixel towards the higher
    neighbour in each direction, in pixels of the network's input.

    Args:
        scale: Pixels of the input for one of the heatmap, (x, y).
    """

    def __init__(self, scale: tuple[float, float]) -> None:
        super().__init__()
        self.register_buffer('scale', torch.tensor(scale))

    def forward(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(N, K, H, W)`` to keypoints ``(N, K, 2)`` and scores ``(N, K)``."""
        height, width = heatmaps.shape[-2:]
        flat = heatmaps.flatten(2)
        scores, places = flat.max(dim=2)
        x, y = places % width, places // width
        inside_x = (x > 1) & (x < width - 1) & (y > 0)
        inside_y = (y > 1) & (y < height - 1) & (x > 0)
        dx = self._slope(flat, places, inside_x, 1)
        dy = self._slope(flat, places, inside_y, width)
        points = torch.stack((x, y), dim=-1).to(heatmaps.dtype)
        points = points + 0.25 * torch.stack((dx, dy), dim=-1).sign()
        # MMPose says -1 where no heat is.
        points = points.masked_fill((scores <= 0).unsqueeze(-1), -1.0)
        return points * self.scale, scores

    @staticmethod
    def _slope(flat: Tensor, places: Tensor, inside: Tensor, step: int) -> Tensor:
        """Difference of the two neighbours; 0 where there are not both."""
        offset = inside.to(places.dtype) * step
        above = flat.gather(2, (places + offset).unsqueeze(-1)).squeeze(-1)
        below = flat.gather(2, (places - offset).unsqueeze(-1)).squeeze(-1)
        return above - below


class ExportedModel(nn.Module):
    """A model of MMPose or MMSegmentation from input tensor to output tensors.

    Args:
        model: The model, rewritten or not.
        cfg: Its config.
        wanted: What to take and give.

    Attributes:
        outputs: Names of the outputs.

    Raises:
        UserError: If the model cannot give what is wanted.
    """

    def __init__(self, model: nn.Module, cfg: Config, wanted: Wanted) -> None:
        super().__init__()
        self.model = model
        self.wanted = wanted
        self.segments = is_segmentation(cfg) and not wanted.backbone_only
        if not (self.segments or wanted.backbone_only or is_pose(cfg)):
            raise UserError(
                'whole networks are exported of pose and segmentation configs, and '
                f'this one is of {cfg.default_scope}: add --backbone-only'
            )
        self.codec = _codec(cfg).get('type')
        preprocessor = cfg.model.get('data_preprocessor') or {}
        self.normalise = Normalisation(preprocessor) if wanted.preprocess else None
        if wanted.label_map and not self.segments:
            raise UserError('--label-map is for segmentation configs')
        if wanted.decode and (self.segments or wanted.backbone_only):
            raise UserError('--decode is for pose configs with their head')
        self.decoder = _decoder(cfg) if wanted.decode else None
        self.outputs: tuple[str, ...] = ()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs; see :class:`Wanted` for shapes."""
        if self.normalise is not None:
            x = self.normalise(x)
        if self.wanted.backbone_only:
            found = self.model.backbone(x)
            self.outputs = tuple(f'branch_{i}' for i in range(len(found)))
            return tuple(found)
        found = self.model(x, None, mode='tensor')
        if self.segments:
            return self._segment(found, x)
        found = (found,) if isinstance(found, Tensor) else tuple(found)
        if self.decoder is not None:
            self.outputs = ('keypoints', 'scores')
            return self.decoder(found[0])
        if self.codec == 'RegressionLabel':
            # Deviations, where a head gives them, are between 0 and 1.
            found = (torch.cat((found[0][..., :2], found[0][..., 2:].sigmoid()), -1),)
        unnamed = tuple(f'output_{i}' for i in range(len(found)))
        self.outputs = POSE_OUTPUTS.get(self.codec, unnamed)
        return found

    def _segment(self, scores: Tensor, x: Tensor) -> tuple[Tensor]:
        scores = F.interpolate(
            scores,
            size=x.shape[2:],
            mode='bilinear',
            align_corners=self.model.align_corners,
        )
        if self.wanted.label_map:
            self.outputs = ('labels',)
            return (self._labels(scores).to(torch.uint8),)
        self.outputs = ('logits',)
        return (scores,)

    def _labels(self, scores: Tensor) -> Tensor:
        head = self.model.decode_head
        head = head[-1] if isinstance(head, nn.ModuleList) else head
        if head.out_channels == 1:  # one output for two classes
            return scores[:, 0].sigmoid() > head.threshold
        return scores.argmax(dim=1)


def _codec(cfg: Config) -> dict:
    return (cfg.model.get('head') or {}).get('decoder') or {}


def _decoder(cfg: Config) -> HeatmapDecoder:
    codec = _codec(cfg)
    if codec.get('type') != 'MSRAHeatmap' or codec.get('unbiased'):
        kind = codec.get('type', 'no codec')
        kind += ' (unbiased)' if codec.get('unbiased') else ''
        raise UserError(
            f'--decode writes the decoding of MSRAHeatmap, and the config has {kind}: '
            'export heatmaps, without --decode'
        )
    sizes = zip(codec['input_size'], codec['heatmap_size'])
    return HeatmapDecoder(tuple(large / small for large, small in sizes))
