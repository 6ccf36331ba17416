"""Gatekeeper: trains, judges, registers and serves the ONNX model that may veto trade ideas."""

import os
import sys

TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1"}
"""Keeps onnxruntime from sending usage data to its maker; it reads this once, when it is imported."""

TELEMETRY_MAY_RUN = (
    ""
    if "onnxruntime" not in sys.modules or TELEMETRY_OFF.items() <= os.environ.items()
    else "onnxruntime was imported before gatekeeper and without ORT_DISABLE_TELEMETRY=1, so it may send usage data to "
    "its maker as long as this process runs. Set that in the environment, or import gatekeeper first."
)
"""What is wrong, and the way out, if onnxruntime came first: nothing stops it any more then. Empty if it did not."""

if TELEMETRY_MAY_RUN:
    import warnings

    warnings.warn(TELEMETRY_MAY_RUN, stacklevel=2)
os.environ.update(TELEMETRY_OFF)
