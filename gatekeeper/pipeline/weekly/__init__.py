"""Weekly run: retrain, export, register, evaluate, promote."""
