"""Drives the server's pages in headless Chromium, by keyboard where a person would: a machine is let in by
password and one-time code, then every page of an owner is opened. Fails on anything that the page's
policy blocked. Screenshots go to the directory OUT.

usage: pages.py URL LINK USER PASSWORD OUT
"""
import base64
import hashlib
import hmac
import struct
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

url, link, user, password, out = sys.argv[1:]


def code(secret):
    secret = secret.replace(" ", "")
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = mac[19] & 15
    value = struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7FFFFFFF
    return "%06d" % (value % 1000000)


options = webdriver.ChromeOptions()
for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--window-size=390,844"]:
    options.add_argument(argument)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
browser.set_page_load_timeout(60)
count = 0


def page(name, title, part="h1"):
    """Waits for the page with this title and part, and looks at it."""
    global count
    count += 1
    WebDriverWait(browser, 20).until(
        lambda _: title in browser.title and browser.find_elements(By.CSS_SELECTOR, part),
        f"{name}: the title is {browser.title}")
    # Each thing to fill in has a label, and nothing is wider than the screen.
    for field in browser.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), select"):
        identifier = field.get_attribute("id")
        labels = browser.find_elements(By.CSS_SELECTOR, f"label[for='{identifier}']")
        assert labels, f"{name}: {identifier} has no label"
    width, shown = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= shown, f"{name} is {width} wide on a screen of {shown}"
    for scheme in ["light", "dark"]:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.save_screenshot(f"{out}/{count:02d}-{name}-{scheme}.png")


def focused():
    return browser.switch_to.active_element


def unfold():
    for summary in browser.find_elements(By.TAG_NAME, "summary"):
        summary.click()


try:
    browser.get(url + link)
    page("sign-in", "Sign in")
    focused().send_keys(user + Keys.TAB)
    focused().send_keys("wrong" + Keys.ENTER)
    page("wrong", "Sign in", "[role=alert]")
    focused().send_keys(Keys.TAB)
    focused().send_keys(password + Keys.ENTER)
    page("set-up", "Set up an authenticator")
    unfold()
    secret = browser.find_element(By.ID, "secret").text
    browser.find_element(By.ID, "code").send_keys(code(secret) + Keys.ENTER)
    page("recovery-codes", "Keep your recovery codes")
    browser.find_element(By.CSS_SELECTOR, "main button").send_keys(Keys.ENTER)
    page("confirm", "Is this machine yours?")
    browser.find_element(By.CSS_SELECTOR, "button[value=yes]").send_keys(Keys.ENTER)
    page("joined", "is in")
    for path, title in [("/account", "Hello"), ("/admin/machines", "All machines"),
                        ("/admin/users", "Users"), ("/admin/audit", "Audit log")]:
        browser.get(url + path)
        unfold()
        page(path.rsplit("/", 1)[1], title)
    browser.get(url + "/admin/users")
    browser.find_element(By.ID, "name").send_keys("nina" + Keys.ENTER)
    page("user-added", "Users", "#password")
    assert browser.find_element(By.ID, "password").text.count("-") == 2
    browser.find_element(By.CSS_SELECTOR, "nav button").send_keys(Keys.ENTER)
    page("signed-out", "Sign in", "input[name=name]")
    blocked = [entry["message"] for entry in browser.get_log("browser")
               if "Content Security Policy" in entry["message"]]
    assert not blocked, blocked
finally:
    browser.quit()
