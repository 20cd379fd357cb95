"""Continuations of a text by OpenAI's client: whole, as a stream, and with probabilities.

pip install openai
python -m examples.clients.completions [http://127.0.0.1:8000]
"""

import math
import sys

import openai


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Connect to a service."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        print("models:", ", ".join(model.id for model in client.models.list()))
        show(client)


def show(client: openai.OpenAI) -> None:
    """Continue a text, score another, and read an error."""
    prompt = "long ago , the mice had a general"
    print(prompt, end="")
    for chunk in client.completions.create(
        model="belling-the-cat", prompt=prompt, max_tokens=20, temperature=0, stop=".", stream=True
    ):
        print(chunk.choices[0].text, end="", flush=True)
    print()

    scored = client.completions.create(
        model="hello", prompt=["hello", "hlelo"], max_tokens=0, echo=True, logprobs=0
    )
    for choice in scored.choices:
        logarithms = choice.logprobs and choice.logprobs.token_logprobs
        known = [each for each in logarithms or () if each is not None]
        print(f"{choice.text}: probability {math.exp(sum(known)):.6f} after its first letter")

    try:
        client.completions.create(model="google-stock", prompt="778.81")
    except openai.BadRequestError as error:
        print("refused:", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
