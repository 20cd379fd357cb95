"""Recurrent layers made for compiling: forward and backward through time as two bare loops.

What does not depend on the step before is taken out of both loops: the inputs' product with the
kernel, and in the backward pass the gradients of kernel, recurrent kernel and biases, which are one
product over all steps instead of a sum of small ones. TensorFlow's own gradient of a loop keeps
every intermediate of every step; here the states and recurrent products are, and the gates, cheap
beside a product, are computed again.

Equations: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000 (LSTM), Cho et
al. 2014 with Keras' `reset_after` (GRU), Elman 1990 (RNN). Gate order as in `architecture`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from app.recipes import Activation, Cell
from app.training.architecture import Architecture

Tensor = Any  # TensorFlow ships no types
# (input part, recurrent part, states of the step before) -> states of this step, the output first
Step = Callable[[Tensor, Tensor, Sequence[Tensor]], list[Tensor]]


def squashing(activation: Activation) -> Callable[[Tensor], Tensor]:
    """The function of an activation's name."""
    return {"tanh": tf.tanh, "sigmoid": tf.sigmoid, "relu": tf.nn.relu}[activation]  # type: ignore[no-any-return]


def layer_step(cell: Cell, activation: Activation) -> Step:
    """One step of a cell after its two matrix products."""
    squash = squashing(activation)

    def lstm(x: Tensor, r: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        inp, forget, candidate, output = tf.split(x + r, 4, axis=-1)
        kept = tf.sigmoid(forget) * states[1] + tf.sigmoid(inp) * squash(candidate)
        return [tf.sigmoid(output) * squash(kept), kept]

    def gru(x: Tensor, r: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        update_x, reset_x, candidate_x = tf.split(x, 3, axis=-1)
        update_r, reset_r, candidate_r = tf.split(r, 3, axis=-1)
        update = tf.sigmoid(update_x + update_r)
        candidate = squash(candidate_x + tf.sigmoid(reset_x + reset_r) * candidate_r)
        return [update * states[0] + (1.0 - update) * candidate]

    def rnn(x: Tensor, r: Tensor, _: Sequence[Tensor]) -> list[Tensor]:
        return [squash(x + r)]

    steps: dict[Cell, Step] = {"lstm": lstm, "gru": gru, "rnn": rnn}
    return steps[cell]


def loop_step(cell: Cell, activation: Activation) -> Step:
    """The same step for loops: of an LSTM all gates are squashed by one tanh over their row.

    sigmoid(z) = (1 + tanh(z / 2)) / 2. XLA makes one vector loop of that, where it takes five
    functions of parts of the row value by value: a fit of LSTM(64) over 60 steps takes a fifth less
    processor time so (November 2026).
    """
    if cell != "lstm" or activation == "relu":
        return layer_step(cell, activation)
    squash = squashing(activation)
    candidate_scale = 1.0 if activation == "tanh" else 0.5

    def lstm(x: Tensor, r: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        units = int(x.shape[-1]) // 4
        scale = tf.repeat(tf.constant([0.5, 0.5, candidate_scale, 0.5]), units)
        gates = scale * tf.tanh(scale * (x + r)) + (1.0 - scale)  # (batch, 4 * units)
        inp, forget, candidate, output = tf.split(gates, 4, axis=-1)
        kept = forget * states[1] + inp * candidate
        return [output * squash(kept), kept]

    return lstm


def run_layer(
    step: Step, x: Tensor, recurrent: Tensor, bias: Tensor, states: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Runs a layer over all steps.

    Args:
        step: one step of the cell.
        x: the input part, kernel and input bias applied, (steps, batch, gates * units).
        recurrent: recurrent kernel, (units, gates * units).
        bias: the recurrent product's own bias, (gates * units,); zeros where a cell has none.
        states: at the start, each (batch, units), the output first.

    Returns:
        The output of every step, (steps, batch, units), and the states after the last.
    """
    count = int(x.shape[0])

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor, recurrent: Tensor, bias: Tensor, *start: Tensor) -> Tensor:
        before, products, last = _forward(step, x, recurrent, bias, start)
        # (steps, batch, units): the outputs are the states before each step, moved by one
        outputs = tf.concat([before[0][1:], last[0][None]], axis=0)

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> tuple[Tensor, ...]:
            d_x, d_product, d_start = _backward(
                step=step,
                x=x,
                recurrent=recurrent,
                products=products,
                before=before,
                d_outputs=d_outputs,
                d_last=list(d_last),
            )
            units, columns = recurrent.shape
            # (steps * batch, units)ᵀ (steps * batch, gates * units)
            d_recurrent = tf.matmul(
                tf.reshape(before[0], (-1, units)),
                tf.reshape(d_product, (-1, columns)),
                transpose_a=True,
            )
            return (d_x, d_recurrent, tf.reduce_sum(d_product, axis=(0, 1)), *d_start)

        return (outputs, *last), gradient

    if count == 1:
        last = step(x[0], states[0] @ recurrent + bias, states)
        return last[0][None], last
    outputs, *last = run(x, recurrent, bias, *states)
    return outputs, list(last)


def _forward(
    step: Step, x: Tensor, recurrent: Tensor, bias: Tensor, start: Sequence[Tensor]
) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """Runs the steps one after the other.

    Returns:
        The states before every step, each (steps, batch, units); the recurrent product of every
        step, (steps, batch, gates * units); the states after the last.
    """
    count = int(x.shape[0])

    def body(t: Tensor, states: list[Tensor], kept: list[Any]) -> tuple[Any, ...]:
        product = states[0] @ recurrent + bias
        kept = [array.write(t, part) for array, part in zip(kept, [*states, product], strict=True)]
        return t + 1, step(x[t], product, states), kept

    shapes = [*(state.shape for state in start), x.shape[1:]]
    arrays = [tf.TensorArray(tf.float32, count, element_shape=shape) for shape in shapes]
    _, last, arrays = tf.while_loop(
        lambda t, *_: t < count, body, (0, list(start), arrays), maximum_iterations=count
    )
    *before, products = [array.stack() for array in arrays]
    return before, products, last


def _backward(
    *,
    step: Step,
    x: Tensor,
    recurrent: Tensor,
    products: Tensor,
    before: list[Tensor],
    d_outputs: Tensor,
    d_last: list[Tensor],
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Back through time: gradients of input part, recurrent product, and states at the start."""
    count = int(x.shape[0])

    def body(
        k: Tensor, d_states: list[Tensor], d_x: Tensor, d_product: Tensor
    ) -> tuple[Tensor, ...]:
        t = count - 1 - k
        d_states = [d_states[0] + d_outputs[t], *d_states[1:]]
        inputs = [x[t], products[t], *(states[t] for states in before)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            after = step(inputs[0], inputs[1], inputs[2:])
        d_in, d_prod, *d_before = tape.gradient(
            after, inputs, output_gradients=d_states, unconnected_gradients="zero"
        )
        d_before[0] += tf.matmul(d_prod, recurrent, transpose_b=True)
        return k + 1, d_before, d_x.write(t, d_in), d_product.write(t, d_prod)

    arrays = [tf.TensorArray(tf.float32, count, element_shape=x.shape[1:]) for _ in range(2)]
    _, d_start, d_x, d_product = tf.while_loop(
        lambda k, *_: k < count, body, (0, d_last, *arrays), maximum_iterations=count
    )
    return d_x.stack(), d_product.stack(), d_start


def run_network(
    architecture: Architecture,
    weights: dict[str, Tensor],
    x: Tensor,
    states: Sequence[Tensor],
    *,
    every_step: bool,
) -> tuple[Tensor, list[Tensor]]:
    """A network from its input to its output layer (logits for tokens).

    Args:
        architecture: the network's form.
        weights: by name, as `Architecture.weight_shapes`.
        x: float32 (batch, steps, inputs), or int32 ids (batch, steps).
        states: one per `Architecture.states`, (batch, units).
        every_step: give the output after every step, not after the last alone.

    Returns:
        (steps, batch, outputs) with `every_step`, else (batch, outputs); and the states at the end.
    """
    of_cell = layer_step if int(x.shape[1]) == 1 else loop_step
    step = of_cell(architecture.cell, architecture.activation)
    per_layer = len(architecture.states()) // len(architecture.layers)
    hidden, ends = x, []
    for index in range(len(architecture.layers)):
        projected, bias = _project(architecture, weights, hidden, index)
        start = states[index * per_layer : (index + 1) * per_layer]
        recurrent = weights[f"layer{index}.recurrent"]
        hidden, last = run_layer(step, projected, recurrent, bias, start)
        ends += last
    top = hidden if every_step else ends[-per_layer]
    return top @ weights["output.kernel"] + weights["output.bias"], ends


def _project(
    architecture: Architecture, weights: dict[str, Tensor], hidden: Tensor, index: int
) -> tuple[Tensor, Tensor]:
    """A layer's inputs times its kernel, all steps at once, and the recurrent product's bias."""
    kernel, bias = weights[f"layer{index}.kernel"], weights[f"layer{index}.bias"]
    gru = architecture.cell == "gru"
    input_bias, recurrent_bias = (bias[0], bias[1]) if gru else (bias, tf.zeros_like(bias))
    if index == 0 and architecture.tokens:
        ids = tf.transpose(hidden)  # (steps, batch)
        if architecture.embedding is None:  # one-hot times kernel is a row of the kernel
            return tf.gather(kernel, ids) + input_bias, recurrent_bias
        hidden = tf.gather(weights["embedding"], ids)
    elif index == 0:
        hidden = tf.transpose(hidden, (1, 0, 2))  # (steps, batch, inputs)
    return hidden @ kernel + input_bias, recurrent_bias
