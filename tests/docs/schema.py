#!/usr/bin/env python3
"""Checks configs/zproc.schema.json: it is a schema, takes every good manifest, and refuses what it can tell.
Usage: schema.py SCHEMA MANIFEST..."""

import json
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"skipped: {error.name} is not installed (Debian: python3-jsonschema, python3-yaml)")
    sys.exit(77)

import re


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema, as zproc reads it: yes and dates are text."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789"))):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
Core.add_constructor("tag:yaml.org,2002:int",
                     lambda loader, node: int(node.value, 0)
                     if node.value.startswith("0") and node.value[1:2] in "xo" and node.value != "0"
                     else int(node.value))

REFUSED = """
{version: 2, workers: {a: {run: x}}}
{workers: {a: {run: x}}}
{version: 1}
{version: 1, workers: {a: {run: x, timout: 5s}}}
{version: 1, workers: {run: {run: x}}}
{version: 1, workers: {"a b": {run: x}}}
{version: 1, workers: {a: {run: []}}}
{version: 1, workers: {a: {run: x, timeout: 5 minutes}}}
{version: 1, workers: {a: {run: x, service: yes}}}
{version: 1, workers: {a: {run: x, replicas: 0}}}
{version: 1, workers: {a: {run: x, retry: true}}}
{version: 1, workers: {a: {run: x, retry: {jitter: 2}}}}
{version: 1, workers: {a: {run: x, needs: {b: done}}}}
{version: 1, workers: {a: {run: x, restart: sometimes}}}
{version: 1, workers: {a: {run: x, success: [300]}}}
{version: 1, workers: {a: {run: x, matrix: {os: a}}}}
{version: 1, run: {fail: slow}, workers: {a: {run: x}}}
{version: 1, server: {address: localhost}, workers: {a: {run: x}}}
"""


def main():
    schema = json.load(open(sys.argv[1], encoding="utf-8"))
    kind = getattr(jsonschema, "Draft202012Validator", None)
    if not kind:
        print("skipped: this jsonschema does not know draft 2020-12")
        return 77
    kind.check_schema(schema)
    validator = kind(schema)
    bad = 0
    for path in sys.argv[2:]:
        for error in validator.iter_errors(yaml.load(open(path, encoding="utf-8"), Core)):
            print(f"{path}: {'.'.join(map(str, error.absolute_path))}: {error.message}")
            bad += 1
    refused = REFUSED.strip().splitlines()
    for text in refused:
        if validator.is_valid(yaml.load(text, Core)):
            print(f"takes what zproc refuses: {text}")
            bad += 1
    print(f"{len(sys.argv) - 2} manifests, {len(refused)} mistakes, {bad} wrong")
    return 1 if bad or len(sys.argv) < 3 else 0


sys.exit(main())
