"""Prints which ONNX operators, versions and attributes the given files use: the importer's minimum operator list.

Usage: op_census.py FILE.onnx ...
"""

import collections
import sys

import onnx


def walk(graph, visit):
    for node in graph.node:
        visit(node)
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                walk(inner, visit)


def main():
    files, attributes = collections.defaultdict(set), collections.defaultdict(set)
    for path in sys.argv[1:]:
        model = onnx.load(path, load_external_data=False)
        opsets = {o.domain: o.version for o in model.opset_import}
        label = f"{path.split('/')[-1].split('.')[0]}@{opsets.get('', '?')}"

        def visit(node):
            op = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            files[op].add(label)
            for a in node.attribute:
                attributes[op].add(a.name)

        walk(model.graph, visit)
        for function in model.functions:
            for node in function.node:
                visit(node)
    for op in sorted(files):
        print(f"{op}  [{', '.join(sorted(attributes[op]))}]  {' '.join(sorted(files[op]))}")


if __name__ == "__main__":
    main()
