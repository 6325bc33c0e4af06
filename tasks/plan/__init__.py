"""Which identity gets which expression, as stored pairs."""
