"""A Python that lies below /tmp, as in many a continuous integration, is seen within the walls."""

import shutil
import tempfile
from pathlib import Path

import pytest

from pgtgrade import isolation, walls
from pgtgrade.outputs import Outputs
from pgtgrade.process import Process


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_python_below_tmp_is_seen(monkeypatch):
    roots = walls.roots()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        Path(folder, "file").write_text("here")
        Path(folder, "file").chmod(0o644)
        monkeypatch.setattr(walls, "roots", lambda: [*roots, folder])
        process, outputs = Process(isolation.isolated(), walls.Limits()), Outputs(1000)
        try:
            code = f"print(open('{folder}/file').read(), open('/tmp/own', 'w').write('mine'))"
            process.ask({"cell": code, "index": 0}, outputs=outputs)
        finally:
            process.close()
    assert [each.get("text", each.get("evalue")) for each in outputs.list] == ["here 4\n"]
