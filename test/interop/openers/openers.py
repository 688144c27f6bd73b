"""Reads a URI a line (base64), prints what servers in Python would open of it: a line of base64 texts, a dot where one gives up."""
import base64
import os
import pathlib
import sys
from urllib.parse import unquote, unquote_plus, urldefrag, urlparse, urlsplit
from urllib.request import url2pathname

OPENERS = [
    lambda uri: urlparse(uri).path,
    lambda uri: unquote(urlparse(uri).path),
    lambda uri: urlparse(unquote(uri)).path,
    lambda uri: unquote(urlsplit(uri).path),
    lambda uri: unquote_plus(urlsplit(uri).path),
    lambda uri: url2pathname(urlparse(uri).path),
    lambda uri: str(pathlib.Path(unquote(urlparse(uri).path))),
    lambda uri: os.path.normpath(unquote(urlparse(uri).path)),
    lambda uri: unquote(os.path.normpath(urlparse(uri).path)),
    lambda uri: os.path.normpath(unquote(uri.removeprefix("file://"))),
    lambda uri: str(pathlib.PurePosixPath(uri.removeprefix("file://"))),
    lambda uri: unquote(urldefrag(uri).url.removeprefix("file://")),
    lambda uri: os.path.join("/srv/public", unquote(below(uri))),
    lambda uri: str(pathlib.Path("/srv/public") / below(uri)),
    lambda uri: unquote(unquote(urlparse(uri.strip()).path)),
]


def below(uri):
    prefix = "file:///srv/public/"
    if not uri.startswith(prefix):
        raise ValueError("not below the root")
    return uri[len(prefix):]


def attempt(opener, uri):
    try:
        return base64.b64encode(opener(uri).encode("utf-8", "surrogateescape")).decode() or "."
    except Exception:
        return "."


for line in sys.stdin:
    text = base64.b64decode(line).decode()
    print(" ".join(attempt(opener, text) for opener in OPENERS), flush=True)
