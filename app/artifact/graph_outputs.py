"""Make a value inside an ONNX graph one of its outputs, without rewriting the file."""

# Numbers of protobuf fields, each followed by bytes of a given length (wire type 2), in onnx.proto:
# ModelProto.graph is 7, GraphProto.output 12, ValueInfoProto.name 1.
GRAPH, OUTPUT, NAME = (number << 3 | 2 for number in (7, 12, 1))
MOST_BYTES = 100  # of a name; longer ones would need lengths of several bytes


def with_output(graph: bytes, name: str) -> bytes:
    """Return the file of a graph with one more output.

    Protobuf merges what is appended into the message before it, so nothing has to be parsed
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins). The runtime infers the
    output's type.

    Args:
        graph: the ONNX file.
        name: of a value that a node of the graph computes.

    Raises:
        ValueError: the name is too long.
    """
    encoded = name.encode()
    if len(encoded) > MOST_BYTES:
        raise ValueError(f"{name!r} is too long for an output's name")
    return graph + _field(GRAPH, _field(OUTPUT, _field(NAME, encoded)))


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content
