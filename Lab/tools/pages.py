"""Drives the server's pages in headless Chromium, by keyboard where a person would: a machine is let in by
password and one-time code, every page of an owner is opened, and a machine that waits is approved. Fails on anything that the page's
policy blocked. Screenshots go to the directory OUT.

usage: pages.py URL LINK USER PASSWORD OUT
"""
import base64
import hashlib
import hmac
import struct
import sys
import time

from selenium.webdriver.common.keys import Keys

from chromium import Browser

url, link, user, password, out = sys.argv[1:]


def code(secret):
    secret = secret.replace(" ", "")
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = mac[19] & 15
    value = struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7FFFFFFF
    return "%06d" % (value % 1000000)


browser = Browser(out)
driver = browser.driver
try:
    driver.get(url + link)
    browser.page("sign-in", "Sign in")
    browser.focused().send_keys(user + Keys.TAB)
    browser.focused().send_keys("wrong" + Keys.ENTER)
    browser.page("wrong", "Sign in", "[role=alert]")
    browser.focused().send_keys(Keys.TAB)
    browser.focused().send_keys(password + Keys.ENTER)
    browser.page("set-up", "Set up an authenticator")
    browser.unfold()
    secret = browser.one("#secret").text
    browser.one("#code").send_keys(code(secret) + Keys.ENTER)
    browser.page("recovery-codes", "Keep your recovery codes")
    browser.one("main button").send_keys(Keys.ENTER)
    browser.page("confirm", "Is this machine yours?")
    browser.one("button[value=yes]").send_keys(Keys.ENTER)
    browser.page("joined", "is in")
    for path, title in [("/account", "Hello"), ("/admin/machines", "All machines"),
                        ("/admin/users", "Users"), ("/admin/audit", "Audit log")]:
        driver.get(url + path)
        browser.unfold()
        browser.page(path.rsplit("/", 1)[1], title)
    driver.get(url + "/admin/machines")
    assert "waits for an administrator" in browser.one("main").text
    browser.one("button[value=approve]").send_keys(Keys.ENTER)
    browser.wait(lambda: not browser.all("button[value=approve]"))
    browser.page("approved", "All machines")
    driver.get(url + "/admin/users")
    browser.one("#name").send_keys("nina" + Keys.ENTER)
    browser.page("user-added", "Users", "#password")
    assert browser.one("#password").text.count("-") == 2
    browser.one("nav button").send_keys(Keys.ENTER)
    browser.page("signed-out", "Sign in", "input[name=name]")
    browser.nothing_blocked()
finally:
    driver.quit()
