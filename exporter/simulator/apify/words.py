"""What builds and runs print: the platform's own lines, and those of crawlers, plain and odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.apify.identifiers import time_text

if TYPE_CHECKING:
    from random import Random

    from exporter.simulator.apify.job import Job

_GREEN, _YELLOW, _RED, _GREY, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[90m", "\x1b[39m"
_SITES = ("shop.example.com", "news.example.org", "méteo.example.fr", "例え.example.jp", "jobs.example.net")
_STACK = """
    at CheerioCrawler._runRequestHandler (/usr/src/app/node_modules/@crawlee/cheerio/internals/cheerio-crawler.js:283:15)
    at async wrap (/usr/src/app/node_modules/@apify/timeout/cjs/index.cjs:54:21)
    at async file:///usr/src/app/src/main.js:41:5"""


def run_start_lines(job: Job) -> list[str]:
    """Return what the platform and the SDK say when a run begins."""
    system = '{"apifyVersion":"3.4.4","apifyClientVersion":"2.12.6","crawleeVersion":"3.13.10","osType":"Linux"}'
    return [
        f"ACTOR: Pulling container image of build {job.number} from registry.",
        "ACTOR: Creating container.",
        "ACTOR: Starting container.",
        f"{_GREEN}INFO{_PLAIN}  System info {_GREY}{system}{_PLAIN}",
        f"{_GREEN}INFO{_PLAIN}  {_YELLOW}CheerioCrawler:{_PLAIN} Starting the crawler.",
    ]


def run_line(random: Random, job: Job) -> str:
    """Return one message of a running crawler, sometimes one of several lines."""
    page = f"https://{random.choice(_SITES)}/item/{random.randrange(10_000)}"
    done = random.randrange(1, 500)
    scaling = f'{{"oldConcurrency":{done % 9},"newConcurrency":{done % 9 + 1}}}'
    usual = (
        f"{_GREEN}INFO{_PLAIN}  {_YELLOW}CheerioCrawler:{_PLAIN} Opened {page}",
        f"{_GREEN}INFO{_PLAIN}  {_YELLOW}CheerioCrawler:{_PLAIN} Crawled {done}/{done + 40} pages, 0 failed requests.",
        f"INFO  Stored {done} items to the dataset 📦 of {page}",
        f"{_GREY}DEBUG{_PLAIN} {_YELLOW}AutoscaledPool:{_PLAIN} scaling up {_GREY}{scaling}{_PLAIN}",
    )
    odd = (
        f"{_YELLOW}WARN{_PLAIN}  {_YELLOW}CheerioCrawler:{_PLAIN} Reclaiming failed request back to the list. {page}",
        f"{_RED}ERROR{_PLAIN} {_YELLOW}CheerioCrawler:{_PLAIN} Request failed: Navigation timed out. {page}{_STACK}",
        f"{time_text(job.world.now_us - 1_500_000)} [worker-2] {done} ERROR-free tasks; INFO done",
        f'{{"level":"info","msg":"batch written","items":{done},"url":"{page}"}}',
        'Input: {\n  "startUrls": [\n    { "url": "' + page + '" }\n  ],\n  "maxItems": 100\n}',
        f"price list of {page}:\n\n    widget   9,99 €\n    gadget  12,50 €",
    )
    return random.choice(usual) if random.random() < 0.8 else random.choice(odd)


def run_end_line(random: Random, status: str) -> str:
    """Return what is said last before a run ends so."""
    done = random.randrange(50, 900)
    if status == "FAILED":
        return f"{_RED}ERROR{_PLAIN} Uncaught exception TypeError: Cannot read properties of undefined{_STACK}"
    if status == "TIMED-OUT":
        return "ACTOR: The Actor run has reached the timeout of 60 seconds, aborting it. You can increase the timeout."
    if status == "ABORTED":
        return "ACTOR: The Actor run was aborted by its user."
    return f'{_GREEN}INFO{_PLAIN}  {_YELLOW}CheerioCrawler:{_PLAIN} Finished! {{"requestsFinished":{done}}}'


def build_lines(random: Random, job: Job) -> list[str]:
    """Return what a build prints before it ends."""
    layer = "".join(random.choices("0123456789abcdef", k=12))
    return [
        f"ACTOR: Building container image for build {job.number}",
        "ACTOR: Cloning the Git repository.",
        "Step 1/5 : FROM apify/actor-node:22",
        f" ---> {layer}",
        "Step 2/5 : COPY --chown=myuser:myuser package*.json ./",
        "Step 3/5 : RUN npm --quiet set progress=false && npm install --omit=dev",
        "added 214 packages in 9s\n\n41 packages are looking for funding\n  run `npm fund` for details",
        "Step 4/5 : COPY --chown=myuser:myuser . ./",
        "Step 5/5 : CMD npm start --silent",
    ]


def build_end_line(job: Job, status: str) -> str:
    """Return what is said last before a build ends so."""
    if status == "SUCCEEDED":
        return f"ACTOR: Pushing container image of build {job.number} to registry.\nSuccessfully built"
    return "npm error code E404\nnpm error 404 Not Found - GET https://registry.example.com/crawlee-plus"
