"""Forecasts with intervals by NVIDIA's client of the Open Inference Protocol.

pip install "tritonclient[http]"
python -m examples.clients.open_inference [127.0.0.1:8000]
"""

import sys

import numpy as np
import tritonclient.http as triton


def main(address: str = "127.0.0.1:8000") -> None:
    """Connect to a service."""
    with triton.InferenceServerClient(address) as client:
        show(client)


def show(client: triton.InferenceServerClient) -> None:
    """Show a model's tensors, ask it about two windows at once, and read an error."""
    described = client.get_model_metadata("google-stock")
    print("inputs:", ", ".join(tensor["name"] for tensor in described["inputs"]))

    windows = np.array([[778.81, 788.36, 786.08], [788.36, 786.08, 795.26]])  # (rows, time)
    history = triton.InferInput("history", list(windows.shape), "FP64")
    history.set_data_from_numpy(windows)
    answer = client.infer("google-stock", [history], request_id="example")
    for window, (forecast,) in zip(windows, answer.as_numpy("forecast"), strict=True):
        print(f"after {window[-1]:.2f}: {forecast:.2f}")
    said = answer.get_response()["parameters"]
    print(
        f"skill {said['skill']:.2f} against {said['baseline']}; logged as {said['prediction_ids']}"
    )

    try:
        client.infer("google-stock", [history], model_version="99")
    except triton.InferenceServerException as error:
        print("refused:", error.message())


if __name__ == "__main__":
    main(*sys.argv[1:])
