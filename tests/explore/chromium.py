"""Drives a headless Chromium through a pipe, with the DevTools protocol; nothing but Python's library and the browser."""
import base64, json, os, select, shutil, subprocess, tempfile, time

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")


def find_browser():
    """The path of a browser, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page. Everything that it says on its console, and every request beyond its own file, is kept in `problems`."""

    def __init__(self, timeout=60):
        self.timeout, self.number, self.buffer, self.problems = timeout, 0, b"", []
        self.folder = tempfile.mkdtemp(prefix="llmc-browser-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        # Both ends are moved out of the way of 3 and 4 first, where the browser expects them.
        high = [os.dup2(fd, 40 + i, inheritable=True) for i, fd in enumerate((to_read, to_write))]

        def give():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [find_browser(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--user-data-dir=" + self.folder, "about:blank"],
            preexec_fn=give, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (to_read, to_write, *high):
            os.close(fd)
        self.session = None
        pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self.session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def receive(self, until):
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser did not answer in time")
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise ConnectionError("the browser ended")
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.problems.append("console." + params["type"] + ": " + " ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append("exception: " + details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded":
            self.problems.append(f"{params['entry']['level']}: {params['entry']['text']}")
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(("file:", "data:", "about:", "blob:")):
            self.problems.append("request: " + params["request"]["url"])

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + self.timeout
        while True:
            answer = self.receive(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def js(self, expression):
        """The value of an expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(expression + ": " + answer["exceptionDetails"].get("exception", {}).get("description", "failed"))
        return answer["result"].get("value")

    def wait(self, expression, what):
        until = time.monotonic() + self.timeout
        while time.monotonic() < until:
            value = self.js(expression)
            if value:
                return value
            time.sleep(0.03)
        raise TimeoutError("waited in vain for " + what)

    def open(self, path, hash=""):
        """Opens the report; yields milliseconds until it was drawn."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url="file://" + os.path.abspath(path) + hash)
        self.wait("location.protocol === 'file:' && document.documentElement?.dataset.ready", "the page")
        return self.js("performance.now()")

    def go(self, hash):
        """Follows a link inside of the report."""
        if self.js("location.hash") == hash:
            return
        turn = self.js("document.documentElement.dataset.ready")
        self.js(f"location.hash = {json.dumps(hash)}")
        self.wait(f"document.documentElement.dataset.ready !== {json.dumps(turn)}", hash)

    def press(self, key, text=""):
        code = {"Enter": 13, "ArrowDown": 40, "ArrowRight": 39, "Escape": 27}.get(key, ord(key[0].upper()))
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, selector):
        """A real click, with the mouse, on the first element that matches."""
        box = self.js(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e?.scrollIntoView({{block: 'center', inline: 'center'}});"
                      " const b = e?.getBoundingClientRect(); return b && [b.x + b.width / 2, b.y + b.height / 2]; })()")
        if not box:
            raise RuntimeError("no element matches " + selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def size(self, width, height, dark=False, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path, whole=False):
        time.sleep(0.25)  # a frame or two, for plots that draw when they know their width
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(data))

    def print(self):
        """The bytes of the page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])
