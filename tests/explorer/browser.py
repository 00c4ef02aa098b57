"""Headless Chromium, driven by the DevTools protocol over a pipe: what tests of the page need."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe",
)  # fmt: skip
LONG = 60  # seconds until what does not answer counts as hung


def find_chromium():
    """The path of the distribution's Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A browser of its own, with an empty profile; close() ends it."""

    def __init__(self):
        self.profile = tempfile.mkdtemp()
        theirs_in, self.write = os.pipe()
        self.read, theirs_out = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]

        def places():  # the protocol is on the descriptors 3 and 4
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [find_chromium(), *FLAGS, *sandbox, f"--user-data-dir={self.profile}", "about:blank"],
            preexec_fn=places, pass_fds=(3, 4), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (theirs_in, theirs_out, *high):
            os.close(end)
        self.number, self.rest, self.events = 0, b"", []

    def send(self, method, session=None, **parameters):
        """Call a method of the protocol; its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            for answer in self._messages(until - time.monotonic()):
                if answer.get("id") != self.number:
                    self.events.append(answer)
                elif "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                else:
                    return answer["result"]
        raise TimeoutError(f"{method}: no answer within {LONG} s")

    def _messages(self, seconds):
        """Whole messages that arrive, at least one part of one."""
        if not select.select([self.read], [], [], max(0, seconds))[0]:
            return []
        data = os.read(self.read, 1 << 20)
        if not data:
            raise RuntimeError("Chromium has ended")
        *whole, self.rest = (self.rest + data).split(b"\0")
        return [json.loads(text) for text in whole]

    def page(self, width=1366, height=900):
        """A new tab."""
        return Page(self, width, height)

    def close(self):
        """End the browser and remove its profile."""
        self.process.terminate()
        self.process.wait(LONG)
        os.close(self.read)
        os.close(self.write)
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab; what it said and asked for is in `problems` and `requests`."""

    def __init__(self, browser, width, height):
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.size(width, height)

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def size(self, width, height):
        # not `mobile`: that would zoom out until whatever is too wide fits
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def media(self, scheme="light", medium=""):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=medium, features=features)

    def open(self, folder, state=""):
        """Open the explorer of a folder and wait until its view is shown."""
        self.browser.events.clear()
        self.send("Page.navigate", url="about:blank")
        address = (Path(folder) / "index.html").as_uri()
        self.send("Page.navigate", url=address + (f"#{state}" if state else ""))
        self.wait("document.documentElement?.dataset.ready || document.querySelector('.told')")
        return self

    def run(self, script):
        """The value of an expression; promises are awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            told = answer["exceptionDetails"]
            raise AssertionError(told.get("exception", {}).get("description", told["text"]))
        return answer["result"].get("value")

    def wait(self, script, seconds=20):
        """Wait until an expression is true."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                value = self.run(script)
                if value not in (None, False, ""):  # an element comes as {}
                    return value
            except RuntimeError:  # between two documents
                pass
            time.sleep(0.02)
        raise AssertionError(f"never: {script}")

    def settle(self):
        """Wait until nothing is loaded or drawn any more."""
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 250)))")

    def key(self, key, text=""):
        codes = {
            "Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
            "ArrowDown": 40,
        }  # fmt: skip
        code = codes.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r", " ": " "}.get(key, text)
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def mouse(self, kind, x, y, **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, start, end):
        """Press, move, let go."""
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        self.mouse("mousePressed", *start, **held)
        for part in (0.3, 0.6, 1):
            place = [a + part * (b - a) for a, b in zip(start, end, strict=True)]
            self.mouse("mouseMoved", *place, button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)

    def screenshot(self, path, whole=False):
        data = self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def _events(self, method):
        ours = (event for event in self.browser.events if event.get("sessionId") == self.session)
        return [event["params"] for event in ours if event["method"] == method]

    @property
    def problems(self):
        """Errors and warnings of the console, in words."""
        self.run("1")  # so that what was said has arrived
        calls = [
            " ".join(str(part.get("value", part.get("description"))) for part in event["args"])
            for event in self._events("Runtime.consoleAPICalled")
            if event["type"] in ("error", "warning", "assert")
        ]
        thrown = [
            event["exceptionDetails"].get("exception", {}).get("description", "exception")
            for event in self._events("Runtime.exceptionThrown")
        ]
        entries = [
            event["entry"]["text"]
            for event in self._events("Log.entryAdded")
            if event["entry"]["level"] in ("error", "warning")
        ]
        return calls + thrown + entries

    @property
    def requests(self):
        """Addresses that were asked for."""
        self.run("1")
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    def close(self):
        self.browser.send("Target.closeTarget", targetId=self.target)
