"""Which files a crontab includes, as it names them."""

from cronstream.core.crontab.yaml_nodes import Node, Scalar, Sequence


def include_of(node: Node) -> tuple[str, ...] | None:
    """Return the names of files to include, which may be patterns; None if they are none."""
    items = node.items if isinstance(node, Sequence) else [node]
    texts = [item.value for item in items if isinstance(item, Scalar)]
    good = tuple(text for text in texts if isinstance(text, str) and text.strip())
    if texts == [None]:
        return ()
    return good if good and len(good) == len(items) else None
