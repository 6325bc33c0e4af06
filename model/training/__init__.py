"""Training: batches, losses, the trainer, schedule and checkpoints."""
