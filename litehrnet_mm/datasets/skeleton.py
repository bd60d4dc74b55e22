"""The COCO skeleton, poses, and the forward kinematics that turns one into joints.

Body frame, in units of the standing height: ``x`` to the body's own left, ``y`` up,
``z`` forward. A figure that faces the camera (yaw 0) has its left on the right side
of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

KEYPOINTS = (
    'nose',
    'left_eye',
    'right_eye',
    'left_ear',
    'right_ear',
    'left_shoulder',
    'right_shoulder',
    'left_elbow',
    'right_elbow',
    'left_wrist',
    'right_wrist',
    'left_hip',
    'right_hip',
    'left_knee',
    'right_knee',
    'left_ankle',
    'right_ankle',
)
"""Names of the 17 COCO keypoints, in COCO's order."""

SKELETON = (
    (16, 14),
    (14, 12),
    (17, 15),
    (15, 13),
    (12, 13),
    (6, 12),
    (7, 13),
    (6, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 11),
    (2, 3),
    (1, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
    (5, 7),
)
"""COCO's links between keypoints, numbered from 1."""

SIDES = {'left': 1.0, 'right': -1.0}
"""Sign of the body's ``x`` axis on each side."""


@dataclass(frozen=True)
class Arm:
    """Angles of an arm in degrees, relative to the torso.

    Attributes:
        flex: Forward (positive) or backward swing of the upper arm; 90 points ahead.
        abduct: Sideways lift; 90 is horizontal, 180 straight up.
        twist: Turn about the upper arm: where the elbow bends to. 0 is forward for a
            hanging arm, positive is outward (upward once the arm is lifted sideways).
        bend: Flexion of the elbow, 0 for a straight arm.
    """

    flex: float = 0.0
    abduct: float = 10.0
    twist: float = 0.0
    bend: float = 12.0


@dataclass(frozen=True)
class Leg:
    """Angles of a leg in degrees, relative to an upright pelvis.

    Attributes:
        flex: Forward (positive) or backward swing of the thigh.
        abduct: Sideways lift of the thigh.
        twist: Turn of the knee and toes about the thigh, positive is outward.
        bend: Flexion of the knee, 0 for a straight leg.
    """

    flex: float = 0.0
    abduct: float = 4.0
    twist: float = 0.0
    bend: float = 3.0


@dataclass(frozen=True)
class Pose:
    """Everything that moves; angles in degrees.

    Attributes:
        yaw: Turn of the body about the vertical; 0 faces the camera, 90 faces the
            right of the picture, 180 shows the back.
        lean: Forward bend of the torso.
        side: Bend of the torso to the body's left.
        turn: Turn of the shoulders relative to the pelvis, positive to the left.
        head: Pitch (down), turn (to the left) and tilt (to the left) of the head.
        arms: The left and the right arm.
        legs: The left and the right leg.
        seated: Whether the figure needs something to sit on.
    """

    yaw: float = 0.0
    lean: float = 0.0
    side: float = 0.0
    turn: float = 0.0
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    arms: tuple[Arm, Arm] = (Arm(), Arm())
    legs: tuple[Leg, Leg] = (Leg(), Leg())
    seated: bool = False


@dataclass(frozen=True)
class Build:
    """Lengths of a body in units of the standing height.

    Attributes:
        head: Factor on the size of the head.
        width: Factor on the widths of trunk and limbs.
        shoulder: Half the distance between the shoulder joints.
        hip: Half the distance between the hip joints.
        torso: Hip centre to the base of the neck.
        upper_arm: Shoulder to elbow.
        forearm: Elbow to wrist.
        thigh: Hip to knee.
        shin: Knee to ankle.
    """

    head: float = 1.0
    width: float = 1.0
    shoulder: float = 0.112
    hip: float = 0.062
    torso: float = 0.288
    upper_arm: float = 0.160
    forearm: float = 0.138
    thigh: float = 0.238
    shin: float = 0.228

    @property
    def head_radii(self) -> np.ndarray:
        """Half width, half height and half depth of the skull, shape (3,)."""
        return self.head * np.array([0.062, 0.082, 0.074])


@dataclass
class Joints:
    """Where everything is, in a frame that has the camera's axes but still ``y`` up.

    Attributes:
        points: Position of every joint by name, shape (3,) each: the COCO body
            joints, ``neck``, ``pelvis``, ``head``, and ``hand``, ``heel`` and ``toe``
            of each side.
        torso: Axes of the torso as the columns of a (3, 3) rotation.
        skull: Axes of the head, likewise.
    """

    points: dict[str, np.ndarray] = field(default_factory=dict)
    torso: np.ndarray = field(default_factory=lambda: np.eye(3))
    skull: np.ndarray = field(default_factory=lambda: np.eye(3))


def rot_x(degrees: float) -> np.ndarray:
    """Rotation about ``x`` that leans ``y`` towards ``z``, shape (3, 3)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(degrees: float) -> np.ndarray:
    """Rotation about ``y`` that turns ``z`` towards ``x``, shape (3, 3)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(degrees: float) -> np.ndarray:
    """Rotation about ``z`` that turns ``x`` towards ``y``, shape (3, 3)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def limb_axes(flex: float, abduct: float, twist: float, side: float) -> np.ndarray:
    """Axes of an upper limb whose rest pose hangs along ``-y``, shape (3, 3)."""
    return rot_x(-flex) @ rot_z(side * abduct) @ rot_y(side * twist)


def forward_kinematics(pose: Pose, build: Build, pitch: float = 0.0) -> Joints:
    """Place all joints of a pose.

    Args:
        pose: The angles.
        build: The lengths.
        pitch: Degrees by which the camera looks down.

    Returns:
        Joints relative to the centre of the pelvis, in units of the standing height,
        turned into the camera's view: ``x`` right, ``y`` up, ``z`` to the viewer.
    """
    camera = rot_x(pitch)
    base = camera @ rot_y(pose.yaw)
    torso = base @ rot_y(pose.turn) @ rot_x(pose.lean) @ rot_z(-pose.side)
    joints = Joints(torso=torso)
    points = joints.points
    points['pelvis'] = np.zeros(3)
    points['neck'] = torso @ np.array([0, build.torso, 0])
    _place_head(joints, pose, build, base)
    for index, (name, side) in enumerate(SIDES.items()):
        _place_arm(joints, pose.arms[index], build, name, side)
        _place_leg(joints, pose.legs[index], build, base, name, side)
    return joints


def _place_head(joints: Joints, pose: Pose, build: Build, base: np.ndarray) -> None:
    down, turn, tilt = pose.head
    skull = base @ rot_y(pose.turn + turn)
    skull = skull @ rot_x(0.5 * pose.lean + down) @ rot_z(-0.4 * pose.side - tilt)
    joints.skull = skull
    points = joints.points
    radii = build.head_radii
    top = points['neck'] + joints.torso @ np.array([0, 0.028, 0.006])
    points['head'] = top + skull @ np.array([0, 0.93 * radii[1], 0.012])
    for name, unit in face_points().items():
        points[name] = points['head'] + skull @ (radii * unit)


def face_points() -> dict[str, np.ndarray]:
    """The five facial keypoints on a skull of half axes 1, shape (3,) each."""
    points = {'nose': np.array([0, -0.16, 1.10])}
    for name, side in SIDES.items():
        points[f'{name}_eye'] = np.array([side * 0.37, 0.08, 0.925])
        points[f'{name}_ear'] = np.array([side * 1.02, -0.04, -0.08])
    return points


def _place_arm(joints: Joints, arm: Arm, build: Build, name: str, side: float) -> None:
    points, torso = joints.points, joints.torso
    axes = limb_axes(arm.flex, arm.abduct, arm.twist, side)
    raised = max(0.0, -axes[1, 1]) ** 2  # a lifted arm takes the shoulder with it
    offset = np.array([side * (build.shoulder - 0.018 * raised), 0.028 * raised, 0])
    bend = np.radians(arm.bend)
    lower = axes @ np.array([0, -np.cos(bend), np.sin(bend)])
    points[f'{name}_shoulder'] = points['neck'] + torso @ (offset - [0, 0.020, 0])
    elbow = points[f'{name}_shoulder'] - build.upper_arm * torso @ axes[:, 1]
    points[f'{name}_elbow'] = elbow
    points[f'{name}_wrist'] = elbow + build.forearm * torso @ lower
    points[f'{name}_hand'] = points[f'{name}_wrist'] + 0.034 * torso @ lower


def _place_leg(
    joints: Joints, leg: Leg, build: Build, base: np.ndarray, name: str, side: float
) -> None:
    points = joints.points
    axes = limb_axes(leg.flex, leg.abduct, leg.twist, side)
    bend = np.radians(leg.bend)
    shin = axes @ np.array([0, -np.cos(bend), -np.sin(bend)])
    hip = base @ np.array([side * build.hip, 0, 0])
    knee = hip - build.thigh * base @ axes[:, 1]
    ankle = knee + build.shin * base @ shin
    # Toes stay level for an upright shin and follow it when the heel lifts.
    toes = axes @ np.array([0, -np.sin(bend), np.cos(bend)])
    lift = max(0.0, -shin[2] - 0.25)
    toes = np.array([toes[0] + side * 0.12, -0.9 * lift, 0.15 + abs(toes[2])])
    toes /= np.linalg.norm(toes)
    points[f'{name}_hip'], points[f'{name}_knee'] = hip, knee
    points[f'{name}_ankle'] = ankle
    points[f'{name}_heel'] = ankle + base @ (np.array([0, -0.024, 0]) - 0.016 * toes)
    points[f'{name}_toe'] = ankle + base @ (np.array([0, -0.030, 0]) + 0.078 * toes)
