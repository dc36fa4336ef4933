"""How fast imgsig is, as ratios against peers and floors of the same run."""
