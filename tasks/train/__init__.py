"""Training, registration, promotion, the model card."""
