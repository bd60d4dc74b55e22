"""Random poses within plausible joint limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np

from litehrnet_mm.datasets.skeleton import Arm, Build, Leg, Pose

Rng = np.random.Generator
Range = tuple[float, float]
Arms = tuple[Arm, Arm]


def sample_pose(rng: Rng) -> Pose:
    """Draw a pose: an activity, arms that may do something else, a view."""
    activities, weights = zip(*ACTIVITIES)
    activity = activities[rng.choice(len(activities), p=weights)]
    pose = activity(rng)
    if activity in FREE_ARMS and rng.random() < 0.6:
        gesture = GESTURES[rng.integers(len(GESTURES))]
        pose = replace(pose, arms=gesture(rng))
    if rng.random() < 0.5:
        pose = mirrored(pose)
    yaw = sample_yaw(rng)
    down, turn, tilt = pose.head
    head = (
        down + rng.normal(2, 7),
        float(np.clip(turn + rng.normal(0, 16), -50, 50)),
        tilt + rng.normal(0, 5),
    )
    return replace(pose, yaw=yaw, head=head, turn=pose.turn + rng.normal(0, 5))


def sample_build(rng: Rng) -> Build:
    """Draw a body: adults and some children, slim and broad."""
    child = rng.random() < 0.2
    width = rng.normal(1.0, 0.07)
    return Build(
        head=rng.uniform(1.2, 1.35) if child else rng.uniform(1.0, 1.14),
        width=float(np.clip(width * (1.05 if child else 1), 0.87, 1.2)),
        shoulder=0.112 * rng.uniform(0.92, 1.1) * (0.95 if child else 1),
        hip=0.060 * rng.uniform(0.95, 1.1),
        torso=0.286 * rng.uniform(0.96, 1.03) * (0.97 if child else 1),
        upper_arm=0.160 * rng.uniform(0.95, 1.05) * (0.9 if child else 1),
        forearm=0.138 * rng.uniform(0.95, 1.05) * (0.9 if child else 1),
        thigh=0.238 * rng.uniform(0.96, 1.04) * (0.88 if child else 1),
        shin=0.228 * rng.uniform(0.96, 1.04) * (0.88 if child else 1),
    )


def sample_yaw(rng: Rng) -> float:
    """Draw a view in degrees: mostly the front, a fifth from behind."""
    kind = rng.random()
    if kind < 0.5:
        return float(np.clip(rng.normal(0, 18), -40, 40))
    if kind < 0.8:
        return float(rng.uniform(30, 72) * rng.choice([-1, 1]))
    return float(180 + np.clip(rng.normal(0, 25), -55, 55))


def mirrored(pose: Pose) -> Pose:
    """The same pose with left and right exchanged; the view stays."""
    down, turn, tilt = pose.head
    return replace(
        pose,
        side=-pose.side,
        turn=-pose.turn,
        head=(down, -turn, -tilt),
        arms=pose.arms[::-1],
        legs=pose.legs[::-1],
    )


def _arm(rng: Rng, flex: Range, abduct: Range, twist: Range, bend: Range) -> Arm:
    return Arm(*(rng.uniform(*limits) for limits in (flex, abduct, twist, bend)))


def _leg(rng: Rng, flex: Range, abduct: Range, twist: Range, bend: Range) -> Leg:
    return Leg(*(rng.uniform(*limits) for limits in (flex, abduct, twist, bend)))


def _hanging(rng: Rng) -> Arm:
    return _arm(rng, (-14, 14), (6, 18), (-35, 5), (6, 35))


def _straight(rng: Rng) -> Leg:
    return _leg(rng, (-7, 7), (2, 9), (0, 15), (0, 6))


def _on_hip(rng: Rng) -> Arm:
    return _arm(rng, (-18, -6), (42, 52), (-78, -62), (88, 102))


def _arms_hanging(rng: Rng) -> Arms:
    return _hanging(rng), _hanging(rng)


def _arms_on_hips(rng: Rng) -> Arms:
    return _on_hip(rng), _on_hip(rng) if rng.random() < 0.7 else _hanging(rng)


def _arms_waving(rng: Rng) -> Arms:
    return _arm(rng, (-5, 20), (75, 120), (65, 95), (30, 100)), _hanging(rng)


def _arms_up(rng: Rng) -> Arms:
    lift = rng.uniform(125, 160)
    limits = (-5, 15), (lift - 10, lift + 10), (20, 80), (5, 50)
    return _arm(rng, *limits), _arm(rng, *limits)


def _arms_wide(rng: Rng) -> Arms:
    lift = rng.uniform(55, 100)
    limits = (-10, 15), (lift - 13, lift + 13), (-20, 60), (3, 35)
    return _arm(rng, *limits), _arm(rng, *limits)


def _arms_reaching(rng: Rng) -> Arms:
    limits = (55, 115), (0, 35), (-20, 20), (5, 45)
    other = _arm(rng, *limits) if rng.random() < 0.4 else _hanging(rng)
    return _arm(rng, *limits), other


def _arms_folded(rng: Rng) -> Arms:
    limits = (8, 28), (8, 20), (-55, -25), (75, 115)
    other = _arm(rng, *limits) if rng.random() < 0.6 else _hanging(rng)
    return _arm(rng, *limits), other


def _arms_to_head(rng: Rng) -> Arms:
    return _arm(rng, (20, 45), (35, 60), (5, 35), (125, 142)), _hanging(rng)


def _standing(rng: Rng) -> Pose:
    left, right = _straight(rng), _straight(rng)
    if rng.random() < 0.4:  # weight on one leg
        left = replace(left, flex=rng.uniform(5, 22), bend=rng.uniform(12, 35))
    return Pose(
        lean=rng.normal(2, 3),
        side=rng.normal(0, 4),
        arms=_arms_hanging(rng),
        legs=(left, right),
    )


def _astride(rng: Rng) -> Pose:
    spread = rng.uniform(12, 26)
    legs = tuple(replace(_straight(rng), abduct=spread) for _ in range(2))
    arms = _arms_wide(rng) if rng.random() < 0.5 else _arms_hanging(rng)
    return Pose(lean=rng.normal(2, 3), side=rng.normal(0, 8), arms=arms, legs=legs)


def _walking(rng: Rng) -> Pose:
    stride, swing = rng.uniform(14, 32), rng.uniform(12, 38)
    bend = rng.uniform(15, 70)
    legs = (
        replace(_leg(rng, (0, 0), (0, 5), (0, 8), (3, 25)), flex=stride),
        replace(_leg(rng, (0, 0), (0, 5), (0, 8), (8, 40)), flex=-0.8 * stride),
    )
    arms = tuple(
        Arm(flex, rng.uniform(6, 14), rng.uniform(-25, 0), bend + 0.3 * flex)
        for flex in (-swing, swing)
    )
    return Pose(lean=rng.uniform(0, 10), turn=rng.uniform(0, 12), arms=arms, legs=legs)


def _running(rng: Rng) -> Pose:
    legs = (
        _leg(rng, (45, 70), (0, 6), (0, 0), (60, 95)),
        _leg(rng, (-28, -10), (0, 6), (0, 0), (30, 75)),
    )
    arms = (
        _arm(rng, (-55, -35), (10, 20), (-5, -5), (80, 105)),
        _arm(rng, (25, 50), (8, 15), (-20, -20), (85, 110)),
    )
    return Pose(lean=rng.uniform(6, 18), turn=rng.uniform(4, 14), arms=arms, legs=legs)


def _sitting(rng: Rng) -> Pose:
    spread = rng.uniform(4, 18)
    thigh = (74, 86), (spread, spread), (-4, 6), (72, 92)
    on_thigh = (12, 30), (8, 18), (-30, -5), (35, 65)
    return Pose(
        lean=rng.uniform(-4, 16),
        side=rng.normal(0, 4),
        arms=(_arm(rng, *on_thigh), _arm(rng, *on_thigh)),
        legs=(_leg(rng, *thigh), _leg(rng, *thigh)),
        seated=True,
    )


def _crouching(rng: Rng) -> Pose:
    flex, spread = rng.uniform(85, 118), rng.uniform(14, 30)
    leg = (flex - 7, flex + 7), (spread, spread), (10, 10), (flex + 5, flex + 20)
    arm = (40, 75), (5, 20), (-10, -10), (20, 70)
    return Pose(
        lean=rng.uniform(15, 32),
        arms=(_arm(rng, *arm), _arm(rng, *arm)),
        legs=(_leg(rng, *leg), _leg(rng, *leg)),
    )


def _lunging(rng: Rng) -> Pose:
    legs = (
        _leg(rng, (50, 75), (4, 12), (4, 4), (55, 85)),
        _leg(rng, (-32, -15), (4, 12), (8, 8), (20, 55)),
    )
    arms = GESTURES[rng.integers(len(GESTURES))](rng)
    return Pose(lean=rng.uniform(0, 15), side=rng.normal(0, 4), arms=arms, legs=legs)


def _bending(rng: Rng) -> Pose:
    lean = rng.uniform(25, 46)
    arm = (0.8 * lean, 1.4 * lean), (4, 15), (-20, 0), (5, 40)
    leg = (0, 30), (4, 12), (5, 5), (5, 45)
    return Pose(
        lean=lean,
        head=(-rng.uniform(0, 25), 0.0, 0.0),
        arms=(_arm(rng, *arm), _arm(rng, *arm)),
        legs=(_leg(rng, *leg), _leg(rng, *leg)),
    )


def _side_stretching(rng: Rng) -> Pose:
    spread = rng.uniform(8, 22)
    legs = tuple(replace(_straight(rng), abduct=spread) for _ in range(2))
    raised = _arm(rng, (0, 0), (140, 172), (60, 60), (10, 50))
    other = _hanging(rng) if rng.random() < 0.5 else _on_hip(rng)
    return Pose(side=-rng.uniform(14, 30), arms=(raised, other), legs=legs)


def _balancing(rng: Rng) -> Pose:
    lifted = _leg(rng, (40, 85), (5, 40), (12, 12), (50, 115))
    gesture = (_arms_wide, _arms_up, _arms_on_hips)[rng.integers(3)]
    legs = (lifted, _straight(rng))
    return Pose(lean=rng.normal(0, 3), arms=gesture(rng), legs=legs)


def _kicking(rng: Rng) -> Pose:
    kick = _leg(rng, (30, 70), (5, 25), (0, 0), (5, 40))
    support = _leg(rng, (0, 10), (2, 9), (0, 15), (5, 20))
    return Pose(lean=rng.uniform(-8, 4), arms=_arms_wide(rng), legs=(kick, support))


ACTIVITIES: tuple[tuple[Callable[[Rng], Pose], float], ...] = (
    (_standing, 0.28),
    (_astride, 0.11),
    (_walking, 0.18),
    (_running, 0.06),
    (_sitting, 0.09),
    (_crouching, 0.05),
    (_lunging, 0.06),
    (_bending, 0.05),
    (_side_stretching, 0.04),
    (_balancing, 0.04),
    (_kicking, 0.04),
)
"""What a figure does, with probabilities."""

FREE_ARMS = (_standing, _astride, _walking, _sitting)
"""Activities that leave the arms free for a gesture."""

GESTURES: tuple[Callable[[Rng], Arms], ...] = (
    _arms_hanging,
    _arms_on_hips,
    _arms_waving,
    _arms_waving,
    _arms_up,
    _arms_wide,
    _arms_reaching,
    _arms_folded,
    _arms_to_head,
)
