"""Samples of a data set, as they are and as a network gets them, in pictures."""
