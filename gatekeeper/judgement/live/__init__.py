"""Live performance: the primary since its promotion, the breaker, drift."""
