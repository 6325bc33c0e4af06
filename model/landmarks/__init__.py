"""The ground floor: landmark schemes, the reference face, alignment, heatmaps."""
