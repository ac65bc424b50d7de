"""The notebooks of a build, run beforehand and side by side.

Sphinx reads one page after the other, and a page that is a notebook waits there for its kernel. With
`execute_notebooks: force` every notebook that a build will read therefore runs beforehand, one on each core,
and Sphinx finds its outputs in a folder that each build begins anew.
"""

import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

from kernels import AsyncManager, side_by_side


class DrawingManager(AsyncManager):
    """Manager of a kernel that draws figures as SVG, sharp on every screen, and as PNG for the rest."""

    def format_kernel_cmd(self, extra_arguments=None):
        formats = "--InlineBackend.figure_formats={'svg', 'png'}"
        return super().format_kernel_cmd([*(extra_arguments or ()), formats])


logger = logging.getLogger(__name__)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def prepare(app: Sphinx, config: Config) -> None:
    """Let what runs beforehand be found: the folder of outputs, empty at the begin of each build."""
    if config.nb_execution_mode != "force":
        return
    folder = Path(app.doctreedir).with_name(".outputs")
    shutil.rmtree(folder, ignore_errors=True)
    config.nb_execution_mode = "cache"
    config.nb_execution_cache_path = str(folder)
    app.connect("env-before-read-docs", run_beforehand, priority=900)


def notebook(app: Sphinx, page: str):
    """The notebook of a page as Sphinx will read it, or None where the page is none."""
    path = app.env.doc2path(page)
    if not path.endswith(".ipynb"):
        return None
    source = [Path(path).read_text(encoding="utf-8")]
    app.emit("source-read", page, source)
    return create_nb_reader(path, app.env.myst_config, app.env.mystnb_config, source[0]).read(source[0])


def run_beforehand(app: Sphinx, env, pages: list[str]) -> None:
    config = env.mystnb_config
    cache = get_cache(config.execution_cache_path)

    def execute(page, found):
        return single_nb_execution(
            found,
            cwd=str(Path(env.doc2path(page)).parent),
            timeout=config.execution_timeout,
            allow_errors=config.execution_allow_errors,
            kernel_manager_class=DrawingManager,
        )

    found = {page: each for page in pages if (each := notebook(app, page)) is not None}
    longest_first = sorted(found, key=lambda page: -len(found[page].cells))
    start = time.monotonic()
    with ThreadPoolExecutor(side_by_side()) as pool:
        results = pool.map(lambda page: execute(page, found[page]), longest_first)
        failures = []
        for page, result in zip(longest_first, results, strict=True):
            if result.err is None:
                bundle = CacheBundleIn(result.nb, env.doc2path(page), data={"execution_seconds": result.time})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            else:
                failures.append(f"{page}.ipynb: {ANSI.sub('', str(result.err))}")
    if failures and config.execution_raise_on_error:
        raise ExtensionError("\n\n".join(failures))
    if found:
        logger.info(
            "ran %d notebooks, %d side by side, in %.0f s",
            len(found),
            side_by_side(),
            time.monotonic() - start,
        )


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", prepare, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
