"""ONNX models that engines run faster, and that compute the same."""

__all__ = ["simplify"]

_OF_EACH_VALUE = {"Add", "Cast", "Mul", "Sub"}


def simplify(model):
    """Write a model's nodes as engines like them, in place.

    Two things that the conversion from TensorFlow makes are undone. Images of one channel are made
    to features only after they were scaled, but ONNX Runtime scales an array whose last axis has a
    length of 1 value by value, which takes a tenth of a whole prediction. And choices between two
    arrays are written as products with 0 and 1, six nodes in place of one.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed in place.
    """
    graph = model.graph
    _move_reshape_up(graph)
    _join_choices(graph)
    _drop_unused(graph)


def _move_reshape_up(graph):
    """Let the first change of shape come before what is done to each value by itself."""
    nodes, makers = list(graph.node), _makers(graph)
    scalars = {value.name for value in graph.initializer if not any(n > 1 for n in value.dims)}
    reshape = next((node for node in nodes if node.op_type == "Reshape"), None)
    if reshape is None:
        return
    chain = []
    node = makers.get(reshape.input[0])
    while node is not None and node.op_type in _OF_EACH_VALUE and set(node.input[1:]) <= scalars:
        chain.append(node)
        node = makers.get(node.input[0])
    n_users = sum(
        name == node.output[0] for node in chain for other in nodes for name in other.input
    )
    if not chain or n_users > len(chain):
        return
    first, last = chain[-1], chain[0]
    reshape.input[0], first.input[0] = first.input[0], reshape.output[0] + "/before"
    last.output[0], reshape.output[0] = reshape.output[0], first.input[0]
    nodes.remove(reshape)
    nodes.insert(nodes.index(first), reshape)
    _set_nodes(graph, nodes)


def _join_choices(graph):
    """Write ``c * a + (1 - c) * b``, where c is a condition, as a choice between a and b."""
    from onnx import helper

    makers, nodes = _makers(graph), []
    for node in graph.node:
        choice = _read_choice(node, makers)
        nodes.append(node if choice is None else helper.make_node("Where", choice, node.output))
    _set_nodes(graph, nodes)


def _read_choice(node, makers):
    """Return condition, and what is chosen where it holds and where not; None: it is no choice."""
    products = [makers.get(name) for name in node.input]
    if node.op_type != "Add" or any(p is None or p.op_type != "Mul" for p in products):
        return None
    weights = [_read_weight(product, makers) for product in products]
    if None in weights:
        return None
    (condition, is_not, value), (other, other_is_not, other_value) = weights
    if condition != other or is_not == other_is_not:
        return None
    return [condition, other_value, value] if is_not else [condition, value, other_value]


def _read_weight(product, makers):
    """Return the condition in a product, whether it is the opposite that counts, and the value."""
    for name, value in (product.input, list(product.input)[::-1]):
        cast = makers.get(name)
        if cast is None or cast.op_type != "Cast":
            continue
        condition = makers.get(cast.input[0])
        is_not = condition is not None and condition.op_type == "Not"
        return (condition.input[0] if is_not else cast.input[0]), is_not, value
    return None


def _drop_unused(graph):
    wanted = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):  # in the order of the work
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(node.input)
    _set_nodes(graph, nodes[::-1])


def _makers(graph):
    return {name: node for node in graph.node for name in node.output}


def _set_nodes(graph, nodes):
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
