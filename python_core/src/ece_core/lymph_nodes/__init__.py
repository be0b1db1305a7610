"""Lymph nodes: instances, measures, side and level."""
