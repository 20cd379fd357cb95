"""Build the nodes that mix a text network's probabilities with those of an n-gram model.

The n-gram reads the last tokens, which a stream carries in a state of its own. Their contexts of
all lengths are looked up at once, and the grams found are added up with the weights that
Kneser-Ney's interpolation gives them; see `app.language.ngram`.
"""

import numpy as np
from onnx import TensorProto

from app.artifact.files import LENGTHS, PROBABILITIES, TOKENS
from app.language.mixture import NGRAM_PROBABILITIES, RECENT, Mixture
from app.language.ngram_table import NgramTable
from app.training.export.graph_builder import Graph


def mixture_nodes(graph: Graph, mixture: Mixture, network: str, *, every_step: bool) -> None:
    """Add the mixture of a network's probabilities and an n-gram's: the graph's output.

    Args:
        graph: has inputs `tokens`, `lengths` and the n-gram's state; gets the state's output.
        mixture: n-gram and weights.
        network: its probabilities, (batch, [steps,] vocabulary).
        every_step: the probabilities are of every step, not only of the last.
    """
    table = mixture.table
    recent = _recent(graph, table, every_step=every_step)  # (rows, order - 1), the newest first
    rows = _rows_of(graph, table, recent)  # (rows, order - 1)
    grams = _probabilities(graph, table, rows)  # (rows, vocabulary)
    graph.constant("ngram.classes", table.classes.astype(np.int32))
    graph.constant("ngram.network_share", mixture.network_share.astype(np.float32))
    graph.add("Gather", ["ngram.classes", rows], "ngram.class_by_length")
    graph.add("ReduceMax", ["ngram.class_by_length"], "ngram.class", axes=[1], keepdims=1)
    graph.add("Gather", ["ngram.network_share", "ngram.class"], "ngram.share")  # (rows, 1)
    graph.ids("ngram.flat", -1, table.vocabulary_size)
    own = graph.add("Reshape", [network, "ngram.flat"], "ngram.network")
    graph.add("Sub", [own, grams], "ngram.difference")
    graph.add("Mul", ["ngram.difference", "ngram.share"], "ngram.change")
    graph.add("Add", [grams, "ngram.change"], "ngram.mixed")
    graph.add("Shape", [network], "ngram.shape")
    graph.add("Reshape", ["ngram.mixed", "ngram.shape"], PROBABILITIES)


def _recent(graph: Graph, table: NgramTable, *, every_step: bool) -> str:
    """Return the digits before each predicted token, (rows, order - 1), and put out the state.

    The state holds ids + 1 of the last tokens, the oldest first, and 0 before the text's start.
    """
    width = table.order - 1
    graph.ids("ngram.axis0", 0)
    graph.ids("ngram.axis1", 1)
    graph.ids("ngram.minus1", -1)
    graph.constant("ngram.one", np.array(1, np.int64))
    graph.constant("ngram.start_digit", np.array(table.vocabulary_size + 1, np.int64))
    graph.constant("ngram.zero", np.array(0, np.int64))
    before = graph.add("Squeeze", [RECENT, "ngram.axis0"], "ngram.before_float")
    before = graph.add("Cast", [before], "ngram.before", to=TensorProto.INT64)
    given = graph.add("Add", [TOKENS, "ngram.one"], "ngram.given")
    text = graph.add("Concat", [before, given], "ngram.text", axis=1)  # (batch, width + steps)
    # The last `width` tokens of each row end where its length does.
    graph.constant("ngram.places", np.arange(width, dtype=np.int64)[None])
    lengths = graph.add("Cast", [LENGTHS], "ngram.lengths", to=TensorProto.INT64)
    lengths = graph.add("Unsqueeze", [lengths, "ngram.axis1"], "ngram.ends")  # (batch, 1)
    graph.add("Add", [lengths, "ngram.places"], "ngram.last_places")
    last = graph.add("GatherElements", [text, "ngram.last_places"], "ngram.last", axis=1)
    state = graph.add("Cast", [last], "ngram.last_float", to=TensorProto.FLOAT)
    graph.add("Unsqueeze", [state, "ngram.axis0"], f"{RECENT}_out")
    if every_step:
        last = _at_every_step(graph, text, width)
    graph.add("Equal", [last, "ngram.zero"], "ngram.is_before")
    graph.add("Where", ["ngram.is_before", "ngram.start_digit", last], "ngram.oldest_first")
    graph.constant("ngram.backwards", np.arange(width, dtype=np.int64)[::-1].copy())
    return graph.add("Gather", ["ngram.oldest_first", "ngram.backwards"], "ngram.digits", axis=1)


def _at_every_step(graph: Graph, text: str, width: int) -> str:
    """Return the last tokens after each step, (batch * steps, width)."""
    graph.add("Shape", [TOKENS], "ngram.tokens_shape")
    graph.add("Gather", ["ngram.tokens_shape", "ngram.one"], "ngram.steps")
    graph.add("Add", ["ngram.steps", "ngram.one"], "ngram.steps_end")
    graph.add("Range", ["ngram.one", "ngram.steps_end", "ngram.one"], "ngram.step")
    graph.add("Unsqueeze", ["ngram.step", "ngram.axis1"], "ngram.step_column")
    graph.add("Add", ["ngram.step_column", "ngram.places"], "ngram.windows")  # (steps, width)
    graph.add("Gather", [text, "ngram.windows"], "ngram.by_step", axis=1)  # (batch, steps, width)
    graph.ids("ngram.by_row", -1, width)
    return graph.add("Reshape", ["ngram.by_step", "ngram.by_row"], "ngram.rows_by_step")


def _rows_of(graph: Graph, table: NgramTable, digits: str) -> str:
    """Return the table's row of each context, (rows, order - 1), the shortest first."""
    powers = np.array([table.base**length for length in range(table.order - 1)], np.int64)
    graph.constant("ngram.powers", powers)
    graph.constant("ngram.buckets", np.array(len(table.bucket_starts), np.int64))
    graph.constant("ngram.bucket_starts", table.bucket_starts.astype(np.int32))
    graph.constant("ngram.keys", table.keys)
    graph.constant("ngram.in_bucket", np.arange(table.width, dtype=np.int32))
    graph.add("Mul", [digits, "ngram.powers"], "ngram.key_parts")
    graph.add("CumSum", ["ngram.key_parts", "ngram.one"], "ngram.key")  # (rows, order - 1)
    graph.add("Mod", ["ngram.key", "ngram.buckets"], "ngram.bucket")
    graph.add("Gather", ["ngram.bucket_starts", "ngram.bucket"], "ngram.bucket_start")
    graph.add("Unsqueeze", ["ngram.bucket_start", "ngram.minus1"], "ngram.bucket_column")
    graph.add("Add", ["ngram.bucket_column", "ngram.in_bucket"], "ngram.slots")
    graph.add("Gather", ["ngram.keys", "ngram.slots"], "ngram.keys_there")  # (…, width)
    graph.add("Unsqueeze", ["ngram.key", "ngram.minus1"], "ngram.key_column")
    graph.add("Equal", ["ngram.keys_there", "ngram.key_column"], "ngram.is_found")
    graph.add("Cast", ["ngram.is_found"], "ngram.found", to=TensorProto.INT32)
    graph.add("Mul", ["ngram.found", "ngram.slots"], "ngram.found_slots")
    return graph.add("ReduceMax", ["ngram.found_slots"], "ngram.rows", axes=[-1], keepdims=0)


def _probabilities(graph: Graph, table: NgramTable, rows: str) -> str:
    """Return the n-gram's probabilities, (rows, vocabulary)."""
    size = table.vocabulary_size
    graph.constant("ngram.left", table.left.astype(np.float32))
    graph.constant("ngram.unigram", table.unigram.astype(np.float32)[None])
    # A context's grams count as much as all longer contexts leave to it.
    graph.add("Gather", ["ngram.left", rows], "ngram.left_by_length")  # (rows, order - 1)
    graph.add("Log", ["ngram.left_by_length"], "ngram.log_left")
    graph.add("CumSum", ["ngram.log_left", "ngram.one"], "ngram.log_weight", exclusive=1, reverse=1)
    graph.add("Exp", ["ngram.log_weight"], "ngram.weight")
    targets, weights = _grams_of(graph, table, rows, "ngram.weight")
    # What the unigram gets, and a column for what is no gram of the context.
    graph.add("ReduceSum", ["ngram.log_left", "ngram.axis1"], "ngram.log_rest", keepdims=1)
    graph.add("Exp", ["ngram.log_rest"], "ngram.rest")
    graph.add("Mul", ["ngram.rest", "ngram.unigram"], "ngram.from_unigram")  # (rows, vocabulary)
    graph.add("Concat", ["ngram.from_unigram", "ngram.rest"], "ngram.with_nowhere", axis=1)
    sources = ["ngram.with_nowhere", targets, weights]
    graph.add("ScatterElements", sources, "ngram.summed", axis=1, reduction="add")
    graph.ids("ngram.begin", 0)
    graph.ids("ngram.size", size)
    return graph.add(
        "Slice", ["ngram.summed", "ngram.begin", "ngram.size", "ngram.axis1"], NGRAM_PROBABILITIES
    )


def _grams_of(graph: Graph, table: NgramTable, rows: str, weight: str) -> tuple[str, str]:
    """Return tokens and weighted shares of all grams of the contexts, (rows, grams) each.

    Every context has as many as the one with the most; those it lacks are of the token after the
    vocabulary's last.
    """
    most = int(table.children.max())
    none = np.zeros(most)  # read with the last context's grams, but not counted
    graph.constant("ngram.first_child", table.first_child.astype(np.int32))
    graph.constant("ngram.children", table.children.astype(np.int32))
    graph.constant("ngram.tokens", np.concatenate((table.tokens, none)).astype(np.uint16))
    graph.constant("ngram.shares", np.concatenate((table.shares, none)).astype(np.float32))
    graph.constant("ngram.child_places", np.arange(most, dtype=np.int32))
    graph.constant("ngram.nowhere", np.array(table.vocabulary_size, np.int32))
    graph.add("Gather", ["ngram.first_child", rows], "ngram.first")
    graph.add("Unsqueeze", ["ngram.first", "ngram.minus1"], "ngram.first_column")
    graph.add("Add", ["ngram.first_column", "ngram.child_places"], "ngram.grams")  # (…, most)
    graph.add("Gather", ["ngram.children", rows], "ngram.count")
    graph.add("Unsqueeze", ["ngram.count", "ngram.minus1"], "ngram.count_column")
    graph.add("Less", ["ngram.child_places", "ngram.count_column"], "ngram.is_child")
    graph.add("Unsqueeze", [weight, "ngram.minus1"], "ngram.weight_column")
    graph.add("Gather", ["ngram.shares", "ngram.grams"], "ngram.gram_shares")
    graph.add("Mul", ["ngram.gram_shares", "ngram.weight_column"], "ngram.gram_weights")
    graph.add("Gather", ["ngram.tokens", "ngram.grams"], "ngram.gram_tokens_small")
    graph.add("Cast", ["ngram.gram_tokens_small"], "ngram.gram_tokens", to=TensorProto.INT32)
    graph.add("Where", ["ngram.is_child", "ngram.gram_tokens", "ngram.nowhere"], "ngram.targets")
    graph.ids("ngram.all_grams", -1, (table.order - 1) * most)
    targets = graph.add("Reshape", ["ngram.targets", "ngram.all_grams"], "ngram.flat_targets")
    shares = graph.add("Reshape", ["ngram.gram_weights", "ngram.all_grams"], "ngram.flat_weights")
    return targets, shares
