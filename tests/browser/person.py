"""Somebody at a real browser: they see, click, choose; console and requests are watched."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

_SECONDS = 20
_BUTTONS = "//*[self::button or self::a or self::summary][contains(normalize-space(.), {words})]"
_MOVING = (StaleElementReferenceException, ElementClickInterceptedException)
_NAMED = ("button", "link", "textbox", "combobox", "radio", "heading", "navigation")
_SAID_NO = ("402", "409")  # what buyers are told, which browsers write to the console


class Person:
    """A browser of their own: cookies, storage, window."""

    def __init__(self, driver: Chrome, home: str) -> None:
        self.driver = driver
        self._home = home
        self._traffic: list[dict[str, Any]] = []

    def goes_to(self, path: str) -> Self:
        self.driver.get(self._home + path)
        return self

    def clicks(self, words: str) -> Self:
        """Click what bears these words as soon as it can be clicked."""
        place = (By.XPATH, _BUTTONS.format(words=f'"{words}"'))
        self._clicks(place, _is_usable, repr(words))
        return self

    def presses(self, selector: str) -> Self:
        """Click what has no words of its own."""
        self._clicks((By.CSS_SELECTOR, selector), lambda _: True, selector)
        return self

    def presses_act(self, act: str) -> Self:
        """Press the button of the sandbox desk for this act, once it is there."""
        return self.presses(f"[data-act='{act}']")

    def _clicks(
        self, place: tuple[str, str], is_meant: Callable[[WebElement], bool], what: str
    ) -> None:
        def click(driver: Chrome) -> bool:
            found = [each for each in driver.find_elements(*place) if is_meant(each)]
            if found:
                found[-1].click()
            return bool(found)

        self._wait(click, f"{what} to click")

    def width_of_page(self) -> int:
        script = "return Math.max(document.documentElement.scrollWidth, innerWidth)"
        return int(self.driver.execute_script(script))

    def fills(self, name: str, text: str) -> Self:
        """Write into the field of this name that can be seen, instead of what it held."""

        def fill(driver: Chrome) -> bool:
            seen = [each for each in driver.find_elements(By.NAME, name) if _is_usable(each)]
            if seen:
                seen[0].clear()
                seen[0].send_keys(text)
            return bool(seen)

        self._wait(fill, f"{name!r} to fill")
        return self

    def tabs_to(self, words: str) -> Self:
        """Go by the tabulator to what bears these words, and press it."""
        self._wait(lambda _: words in self._text("body"), f"{words!r} to reach")
        self._tabs(lambda element: words in element.text, words)
        return self.presses_keys(Keys.ENTER)

    def tabs_into(self, name: str, text: str) -> Self:
        """Go by the tabulator to the field of this name, and write into it."""
        self._tabs(lambda element: element.get_attribute("name") == name, name)
        return self.presses_keys(text)

    def presses_keys(self, keys: str) -> Self:
        ActionChains(self.driver).send_keys(keys).perform()
        return self

    def _tabs(self, is_there: Callable[[WebElement], bool], what: str) -> None:
        def reach(driver: Chrome) -> bool:
            self.presses_keys(Keys.TAB)
            return is_there(driver.switch_to.active_element)

        self._wait(reach, f"{what!r} by tabulator")

    def nameless(self) -> list[str]:
        """What can be used or seen and has no name in the tree that screen readers are given."""
        self.driver.execute_cdp_cmd("Accessibility.enable", {})
        self._wait(lambda _: not self.driver.find_elements(By.CSS_SELECTOR, "[aria-busy]"), "rest")
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            f"{node['role']['value']} {node.get('backendDOMNodeId')}"
            for node in nodes
            if node.get("role", {}).get("value") in _NAMED
            and not node.get("ignored")
            and not node.get("name", {}).get("value", "").strip()
        ]

    def chooses(self, words: str) -> Self:
        """Click the label that bears these words until its button is chosen."""
        chosen = f"//label[contains(normalize-space(.), '{words}')]//input"

        def choose(driver: Chrome) -> bool:
            found = driver.find_elements(By.XPATH, chosen)
            if found and not found[-1].is_selected():
                found[-1].click()
            return bool(found) and found[-1].is_selected()

        self._wait(choose, f"{words!r} to choose")
        return self

    def sees(self, words: str, place: str = "body", within: float = _SECONDS) -> Self:
        self._wait(lambda _: words in self._text(place), f"{words!r} in {place}", within)
        return self

    def order_turns(self, status: str) -> Self:
        """The order's page says so, by itself."""
        selector = f"#status[data-status={status}]"
        self._wait(lambda driver: driver.find_elements(By.CSS_SELECTOR, selector), status)
        return self

    def text_of(self, place: str) -> str:
        self._wait(lambda _: self._text(place) != "", place)
        return self._text(place)

    def has_all_pictures(self) -> Self:
        loaded = "return [...document.images].every(each => each.complete && each.naturalWidth)"
        scrolled = "for (const each of document.images) each.loading = 'eager'; scrollTo(0, 0)"
        self.driver.execute_script(scrolled)
        self._wait(lambda driver: driver.execute_script(loaded), "pictures")
        return self

    def commands(self, what: str, **parameters: object) -> None:
        """Have the browser do what only its protocol can."""
        self.driver.execute_cdp_cmd(what, parameters)

    @property
    def path(self) -> str:
        return urlsplit(self.driver.current_url).path

    @property
    def order_id(self) -> int:
        """The order whose page is shown, as soon as one is."""
        self._wait(lambda _: "/shop/orders/" in self.path, "the page of an order")
        return int(self.path.split("/")[-2])

    def complaints(self) -> list[str]:
        """What the console holds that should not be there."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            if not (
                entry["source"] == "network"
                and any(f"status of {code} " in entry["message"] for code in _SAID_NO)
            )
        ]

    def hosts(self) -> set[str | None]:
        """Whom the browser has asked for anything."""
        return {
            urlsplit(event["params"]["request"]["url"]).hostname
            for event in self._events()
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["request"]["url"].startswith("data:")
        }

    def pauses(self, words: str) -> list[tuple[float, float]]:
        """In how many seconds to ask an address with these words again, as told and as done."""
        pauses, told = [], None
        for event in self._events():
            given, at = event["params"], event["params"].get("timestamp")
            if event["method"] == "Network.requestWillBeSent":
                if told and words in given["request"]["url"]:
                    pauses.append((told[0], at - told[1]))
                    told = None
            elif event["method"] == "Network.responseReceived":
                headers = given["response"]["headers"]
                if words in given["response"]["url"] and "Retry-After" in headers:
                    told = (float(headers["Retry-After"]), at)
        return pauses

    def until(self, condition: Callable[[], object], what: str, seconds: float = _SECONDS) -> Self:
        self._wait(lambda _: condition(), what, seconds)
        return self

    def _events(self) -> list[dict[str, Any]]:
        """What has gone over the line so far."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        self._traffic += [json.loads(entry["message"])["message"] for entry in entries]
        return self._traffic

    def _text(self, place: str) -> str:
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.driver.execute_script(script, place))

    def _wait(self, condition: Any, what: str, seconds: float = _SECONDS) -> None:
        def told() -> str:
            return f"no {what} at {self.driver.current_url}:\n{self._text('body')}"

        try:
            WebDriverWait(
                self.driver, seconds, poll_frequency=0.05, ignored_exceptions=_MOVING
            ).until(condition)
        except TimeoutException as error:
            raise AssertionError(told()) from error


def _is_usable(element: WebElement) -> bool:
    return element.is_displayed() and element.is_enabled()


@contextmanager
def person(home: str, *, width: int = 1280, height: int = 1000) -> Iterator[Person]:
    """Somebody new, who has a console without complaints and stays on this machine."""
    options = ChromeOptions()
    options.binary_location = BROWSER or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",  # which root cannot have
        "--disable-dev-shm-usage",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        f"--window-size={width},{height}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        yield Person(driver, home)
    finally:
        driver.quit()
