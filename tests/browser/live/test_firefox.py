"""What a reader does most, in Firefox: run, type, break, stop, come back. Only where a Firefox is installed.

Firefox is asked over WebDriver BiDi, which it speaks by itself: no driver and no patched build is needed.
"""

import itertools
import json
import os
import shutil
import subprocess
import time

import pytest
from with_pyodide import SUBPATH

SECONDS = 120  # for whatever a page is waited for, on a slow and busy machine
SMALL = "errata"  # a page that needs NumPy only
SHIFT, ENTER, ESCAPE, CONTROL = "\ue008", "\ue007", "\ue00c", "\ue009"


class Firefox:
    """One tab of a Firefox without windows."""

    def __init__(self, socket):
        self.socket, self.numbers = socket, itertools.count(1)
        self.ask("session.new", capabilities={})
        self.tab = {"context": self.ask("browsingContext.getTree")["contexts"][0]["context"]}

    def ask(self, method, **given):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": given}))
        while (answer := json.loads(self.socket.recv())).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def goto(self, url):
        self.ask("browsingContext.navigate", url=url, wait="complete", **self.tab)

    def value(self, expression):
        """What an expression of the page comes to."""
        text = f"(async () => JSON.stringify(await ({expression}) ?? null))()"
        answer = self.ask(
            "script.evaluate", expression=text, target=self.tab, awaitPromise=True, userActivation=True
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def wait(self, expression):
        late = time.monotonic() + SECONDS
        while not (got := self.value(expression)):
            assert time.monotonic() < late, f"{expression} did not come true"
            time.sleep(0.1)
        return got

    def keys(self, *presses):
        """Press keys one after the other, and those of a pair together."""
        acts = []
        for press in presses:
            acts += [{"type": "keyDown", "value": key} for key in press]
            acts += [{"type": "keyUp", "value": key} for key in reversed(press)]
        self.ask("input.performActions", actions=[{"type": "key", "id": "keys", "actions": acts}], **self.tab)

    def write(self, text):
        """Type in the place of all that stands in the field."""
        self.keys((CONTROL, "a"), *text.replace("\n", ENTER))


@pytest.fixture
def firefox(tmp_path):
    executable = next(filter(None, map(shutil.which, ("firefox", "firefox-esr"))), None)
    if executable is None:  # with CI=true too: the book is held to Chromium, and this is one more look
        pytest.skip("no Firefox is installed: Debian has firefox-esr")
    websocket = pytest.importorskip("websocket", reason="websocket-client: see requirements.txt")
    port = tmp_path / "WebDriverBiDiServer.json"
    command = [executable, "--headless", "--no-remote", "--profile", tmp_path, "--remote-debugging-port=0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    try:
        late = time.monotonic() + SECONDS
        while not (port.exists() and port.read_text()):
            assert process.poll() is None, "Firefox has ended"
            assert time.monotonic() < late, "Firefox did not open its port"
            time.sleep(0.1)
        at = json.loads(port.read_text())
        address = f"ws://{at['ws_host']}:{at['ws_port']}/session"
        socket = websocket.create_connection(address, timeout=SECONDS, suppress_origin=True)
        yield Firefox(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(SECONDS)


def test_a_reader_with_firefox_runs_types_breaks_stops_and_comes_back(firefox, live_site):
    state, shown = "pgtLive.cells[1].state", "pgtLive.cells[1].shown?.innerText.trim()"
    page = f"{live_site.origin}/{SUBPATH}/book/{SMALL}.html"
    firefox.goto(page)
    firefox.value("pgtLive.cells[1].button.click()")
    firefox.wait(f"{state} === 'done'")

    firefox.value("pgtLive.cells[1].bar.querySelector('.pgt-edit').click()")
    firefox.wait("document.activeElement.matches('textarea')")
    firefox.write("for i in range(3):\nprint(i)")  # the second line is indented by itself
    assert firefox.value("pgtLive.cells[1].source") == "for i in range(3):\n    print(i)"
    firefox.keys((SHIFT, ENTER))
    assert firefox.wait(f"{state} === 'done' && {shown}") == "0\n1\n2"

    firefox.write("x = 1\nx + nothing")
    firefox.keys((SHIFT, ENTER))
    firefox.wait(f"{state} === 'failed'")
    assert "Line 2: x + nothing" in firefox.value(shown)

    firefox.write("while True: pass")
    firefox.keys((SHIFT, ENTER))
    firefox.wait(f"{state} === 'running'")
    firefox.value("pgtLive.stop()")
    firefox.wait(f"{state} === 'stopped'")
    firefox.write("print('back')")
    firefox.keys((SHIFT, ENTER))
    assert firefox.wait(f"{state} === 'done' && {shown}") == "back"
    firefox.keys(ESCAPE)
    assert firefox.value("document.activeElement.textContent") == "Edit"

    firefox.goto(page.replace(SMALL, "notation"))
    firefox.ask("browsingContext.traverseHistory", delta=-1, **firefox.tab)
    firefox.wait(f"location.pathname.endsWith('{SMALL}.html') && window.pgtLive?.cells[1].edited")
    firefox.value("pgtLive.run(pgtLive.cells[1])")
    assert firefox.value(shown) == "back"

    firefox.ask("browsingContext.reload", wait="complete", **firefox.tab)
    assert firefox.wait("pgtLive.cells[1].editor && pgtLive.cells[1].source") == "print('back')"
