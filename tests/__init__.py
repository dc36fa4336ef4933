"""The tests of imgsig."""
