"""Owns the pictures of an answer: what came along is shown, and what did not is announced."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

#: How Markdown and HTML point to a picture.
_REFERENCES = re.compile(
    r"!\[[^\]]*\]\(\s*(?:<(?P<spaced>[^>\n]+)>|(?P<inline>[^)\s>]+))[^)]*\)"
    r"|<img\b[^>]*?\bsrc\s*=\s*[\"']?(?P<html>[^\"'\s>]+)[^>]*>"
    r"|^\s*\[[^\]]+\]:\s*<?(?P<named>data:image/[^\s>]+|[^\s>]+\.(?:png|jpe?g|heic|heif|gif|webp|pdf))>?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_DATA = re.compile(r"data:(image/(?:png|jpeg));base64,([A-Za-z0-9+/=]+)")
_SHOWN = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def bundles(attachments):
    """Return the attachments of a cell that are pictures and nothing else, and the names of the others.

    Parameters
    ----------
    attachments : object
        Of a notebook that is not trusted.

    Returns
    -------
    dict of str to dict, list of str
    """
    found, others = {}, []
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        for mime in _SHOWN.values():
            data = bundle.get(mime) if isinstance(bundle, dict) else None
            data = "".join(data.split()) if isinstance(data, str) else ""
            if data and data.isascii() and all(each.isalnum() or each in "+/=" for each in data):
                found[name] = {mime: data}
        if name not in found:
            others.append(str(name))
    return found, others


def beside(text, photos, most):
    """Return the photos that a text points to and that lie beside the notebook, as attachments.

    Parameters
    ----------
    text : str
        Markdown.
    photos : dict of str to path
    most : int
        Bytes of a photo.
    """
    found = {}
    for name in _names(text):
        path = photos.get(_last(name))
        if path is None or path.is_symlink() or path.stat().st_size > most:
            continue
        data = path.read_bytes()
        kind = next((kind for magic, kind in _SHOWN.items() if data.startswith(magic)), None)
        if kind:
            found[_last(name)] = {kind: base64.b64encode(data).decode()}
    return found


def settled(text, attachments):
    """Return a text in which every picture is an attachment, those attachments, and what is not to be had.

    Parameters
    ----------
    text : str
        Markdown.
    attachments : dict of str to dict

    Returns
    -------
    str, dict, list of str
    """
    attachments, found, lost = dict(attachments or {}), {}, []

    def named(bundle):
        # under a name of ours: one with a space, or a bracket, is no address in Markdown
        name = f"picture-{len(found) + 1}"
        found[name] = bundle
        return f"attachment:{name}"

    def shown(match):
        name = match[match.lastgroup]
        data = _DATA.fullmatch(name)
        known = name.removeprefix("attachment:") if name.startswith("attachment:") else _last(name)
        known = known if known in attachments else unquote(known)
        if data or known in attachments:
            address = named({data[1]: data[2]} if data else attachments[known])
            return match[0].replace(name, address) if match.lastgroup == "named" else f"![]({address})"
        lost.append(name if len(name) < 80 else f"{name[:40]}...")
        return ""

    return _REFERENCES.sub(shown, text), found, lost


def _names(text):
    return [match[match.lastgroup] for match in _REFERENCES.finditer(text)]


def _last(name):
    return unquote(name).replace("\\", "/").rsplit("/", 1)[-1]
