"""First score by MLflow. The process behind starts.py: `models:/gatekeeper@champion`, loaded and asked.

Usage: first_score.py URL
"""

import sys

import mlflow.pyfunc
import numpy as np
from mlflow_side import ALIAS, NAME
from servers import FEATURES

if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{ALIAS}")
    print(model.predict(np.array([list(FEATURES.values())], dtype=np.float32)), flush=True)
