"""MLServer's side of `serving.py`: the same file by the same runtime, with one thread."""

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxRuntime(MLModel):
    """The file that `model-settings.json` names as its uri."""

    async def load(self) -> bool:
        """Once, at the start."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            self.settings.parameters.uri, options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One batch of rows."""
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        scores = self.session.run(["score"], {"input": rows})[0]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("score", scores)])
