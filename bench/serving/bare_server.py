"""Minimal scoring server: FastAPI, orjson, onnxruntime; no logging, no checks. For `serving.py`.

Usage: bare_server.py MODEL PORT
"""

import sys

import numpy as np
import onnxruntime
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

FEATURES = ("rsi14", "adx14", "fastMASlowDelta", "bbWidth", "avgSent", "avgOB", "action")


def application(model: str) -> FastAPI:
    """One route, as fast as FastAPI has one: no model of pydantic's, no JSON of the standard library."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    app = FastAPI()

    @app.post("/v1/score")
    async def score(request: Request) -> Response:
        features = orjson.loads(await request.body())["features"]
        row = np.array([[features[name] for name in FEATURES]], dtype=np.float32)
        value = float(session.run(["score"], {"input": row})[0][0])
        answer = {"decision": "approve" if value >= 0.55 else "veto", "score": value}
        return Response(orjson.dumps(answer), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[1]), port=int(sys.argv[2]), loop="uvloop", http="httptools", access_log=False, log_level=50
    )
