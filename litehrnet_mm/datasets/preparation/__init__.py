"""Brings downloaded data sets into the layout that the configs expect."""
