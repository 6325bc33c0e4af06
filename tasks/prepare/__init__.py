"""Photos to faces and heatmaps."""
