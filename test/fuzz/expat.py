"""Reads documents with expat, one after the other: a line with the length in bytes, then the document.
Answers each with a line of JSON: what it means, or null where expat refuses it."""

import json
import sys
from xml.parsers import expat


def read(document):
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.ordered_attributes = True
    parser.buffer_text = True
    root = []
    stack = []

    def name(qualified):
        uri, _, local = qualified.rpartition(" ")
        return [uri, local]

    def start(tag, attributes):
        pairs = zip(attributes[::2], attributes[1::2])
        element = {"name": name(tag), "attributes": [name(key) + [value] for key, value in pairs], "text": "", "children": []}
        (stack[-1]["children"] if stack else root).append(element)
        stack.append(element)

    def end(tag):
        stack.pop()["closed"] = True

    def text(data):
        stack[-1]["text"] += data

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(document, True)
    except expat.ExpatError:
        return None
    return root[0]


stream = sys.stdin.buffer
while True:
    line = stream.readline()
    if not line:
        break
    print(json.dumps(read(stream.read(int(line)))), flush=True)
