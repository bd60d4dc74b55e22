"""Metrics that MMPose and MMSegmentation lack."""
