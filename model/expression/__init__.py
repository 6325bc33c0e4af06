"""Expressions as landmarks: the neutral face, retargeting, the shape model, head pose, clusters."""
