"""A real browser on the lab's laptop, without a screen: opens a page, waits for its words, takes its picture.

    python -m tests.lab.browser LINK PICTURE WORD...

Prints the text of the page once it has all of the words, as a person would read it; exit code 1 if it never has.
"""

import sys

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

SECONDS = 40
DRIVER = "/usr/bin/chromedriver"  # Debian's; told, so that none is looked for elsewhere
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900")


def main(link: str, picture: str, *words: str) -> int:
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as browser:
        browser.get(link)
        found = _waited(browser, words)
        sys.stdout.write(f"{browser.current_url}\n{_text(browser)}\n")
        browser.save_screenshot(picture)
    return 0 if found else 1


def _waited(browser: webdriver.Chrome, words: tuple[str, ...]) -> bool:
    try:
        WebDriverWait(browser, SECONDS).until(lambda _: all(word in _text(browser) for word in words))
    except TimeoutException:
        return False
    return True


def _text(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
