"""A real browser on the lab's laptop, without a screen.

    python -m tests.lab.browser LINK PLACE PICTURE WORD...

Follows the link, goes to the place in the page that is there then, waits for the words, and takes a picture. Prints
where it has come to and the text of the page, as a person would read it; exit code 1 if the words never came.
"""

import sys

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

SECONDS = 40
DRIVER = "/usr/bin/chromedriver"  # Debian's; told, so that none is looked for elsewhere
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000")


def main(link: str, place: str, picture: str, *words: str) -> int:
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as browser:
        browser.get(link)
        browser.get(browser.current_url.partition("#")[0] + place)
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
