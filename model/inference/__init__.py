"""The trained generator as it is stored and served, and the baselines that need no training."""
