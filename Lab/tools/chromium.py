"""Headless Chromium for scenarios: a phone's screen, light and dark, and a look at each page."""
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


class Browser:
    def __init__(self, out, *arguments):
        """Screenshots go to the directory `out`; `arguments` are further ones of Chromium."""
        self.out = out
        self.count = 0
        options = webdriver.ChromeOptions()
        for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--window-size=390,844", *arguments]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(60)

    def wait(self, condition, message=""):
        WebDriverWait(self.driver, 20).until(lambda _: condition(), message)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def page(self, name, title, part="h1"):
        """Waits for the page with this title and part, and looks at it."""
        self.count += 1
        self.wait(lambda: title in self.driver.title and self.all(part),
                  f"{name}: the title is {self.driver.title}")
        # Each thing to fill in has a label, and nothing is wider than the screen.
        for field in self.all("input:not([type=hidden]), select"):
            identifier = field.get_attribute("id")
            labels = self.all(f"label[for='{identifier}']")
            assert labels, f"{name}: {identifier} has no label"
            assert len(self.all(f"[id='{identifier}']")) == 1, f"{name}: {identifier} is there twice"
        width, shown = self.driver.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= shown, f"{name} is {width} wide on a screen of {shown}"
        for scheme in ["light", "dark"]:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": scheme}]})
            self.driver.save_screenshot(f"{self.out}/{self.count:02d}-{name}-{scheme}.png")

    def focused(self):
        return self.driver.switch_to.active_element

    def unfold(self):
        for summary in self.all("summary"):
            summary.click()

    def nothing_blocked(self):
        """Fails when the policy of a page blocked anything."""
        blocked = [entry["message"] for entry in self.driver.get_log("browser")
                   if "Content Security Policy" in entry["message"]]
        assert not blocked, blocked
