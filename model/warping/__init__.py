"""Moving pixels: splines, flows, masks, face chips, paste-back."""
