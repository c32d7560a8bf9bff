"""Drives passkeys in headless Chromium with its virtual authenticators: added after a password, used alone and
as second factor by keyboard, named, removed; one that does not know its user does not do alone. Fails on
anything that the page's policy blocked. Screenshots go to the directory OUT.

usage: passkeys.py URL LINK USER PASSWORD OUT
"""
import sys

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from chromium import Browser

url, link, user, password, out = sys.argv[1:]
# The lab's certificate signs itself.
browser = Browser(out, "--ignore-certificate-errors")
driver = browser.driver


def authenticator(transport, knows_user):
    driver.add_virtual_authenticator(VirtualAuthenticatorOptions(
        protocol="ctap2", transport=transport, has_resident_key=knows_user,
        has_user_verification=knows_user, is_user_verified=knows_user, is_user_consenting=True))


def sign_out():
    browser.one("nav button").send_keys(Keys.ENTER)
    browser.page("signed-out", "Sign in", "form[data-passkey]:not([hidden])")


def type_password():
    browser.one("#name").send_keys(user + Keys.TAB)
    browser.focused().send_keys(password + Keys.ENTER)


def add(name):
    browser.unfold()
    browser.one("#add-passkey").send_keys(password + Keys.ENTER)
    browser.page("new-passkey", "Add a passkey", "form[data-passkey]:not([hidden])")
    assert not browser.one("[data-without]").is_displayed()
    browser.one("#passkey-name").send_keys(name + Keys.ENTER)


try:
    authenticator("internal", True)
    driver.get(url + "/sign-in")
    browser.page("sign-in", "Sign in", "form[data-passkey]:not([hidden])")
    # There is no passkey yet: the browser finds none, and the page says so.
    browser.one("form[data-passkey] button").send_keys(Keys.ENTER)
    browser.wait(lambda: browser.one("form[data-passkey] [role=alert]").is_displayed())
    browser.page("none", "Sign in")
    type_password()
    browser.page("account", "Hello")
    add("Phone")
    browser.page("recovery-codes", "Keep your recovery codes", "ol.codes li")
    browser.one("main a").send_keys(Keys.ENTER)
    browser.page("account-passkey", "Hello", ".item h3")
    assert "Phone" in browser.one("main").text
    # The same authenticator makes no second one.
    add("Twice")
    browser.wait(lambda: browser.one("form[data-passkey] [role=alert]").is_displayed())
    assert "already" in browser.one("form[data-passkey] [role=alert]").text
    browser.page("already", "Add a passkey")
    driver.get(url + "/account")

    # A machine is let in with nothing but the passkey.
    sign_out()
    driver.get(url + link)
    browser.page("device", "Sign in", "form[data-passkey]:not([hidden])")
    browser.one("form[data-passkey] button").send_keys(Keys.ENTER)
    browser.page("confirm", "Is this machine yours?")
    browser.one("button[value=yes]").send_keys(Keys.ENTER)
    browser.page("joined", "is in")

    # After the password it is the second factor.
    driver.get(url + "/account")
    sign_out()
    type_password()
    browser.page("second-factor", "Show your passkey", "form[data-passkey]:not([hidden])")
    browser.one("form[data-passkey] button").send_keys(Keys.ENTER)
    browser.page("account-again", "Hello")
    assert "passkey" in browser.one("main").text

    # A key without a PIN is a second factor, but nothing alone.
    driver.remove_virtual_authenticator()
    authenticator("usb", False)
    add("Blue key")
    browser.page("two", "Hello", "[role=status]")
    sign_out()
    browser.one("form[data-passkey] button").send_keys(Keys.ENTER)
    browser.wait(lambda: browser.one("form[data-passkey] [role=alert]").is_displayed())
    type_password()
    browser.page("second-factor-key", "Show your passkey", "form[data-passkey]:not([hidden])")
    browser.one("form[data-passkey] button").send_keys(Keys.ENTER)
    browser.page("account-key", "Hello")

    # It is removed.
    browser.unfold()
    form = [part for part in browser.all(".item") if "Blue key" in part.text][0]
    field = form.find_element("css selector", "input[type=password]")
    field.send_keys(password + Keys.ENTER)
    browser.page("removed", "Hello", "[role=status]")
    assert "Blue key" not in browser.one("main").text
    browser.nothing_blocked()
finally:
    driver.quit()
