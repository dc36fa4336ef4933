"""Configurations of other programs, turned into policies that trust nobody whom they did not trust."""
