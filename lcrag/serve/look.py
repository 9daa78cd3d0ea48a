"""Running servers as they describe themselves: their model, their window, their cache."""

from __future__ import annotations

import logging
from pathlib import Path

from lcrag.backends.local_server import addresses, remembered
from lcrag.errors import NotRunning
from lcrag.types import Look

_log = logging.getLogger("lcrag")


def look(base_url: str | None = None, ca_file: Path | None = None) -> list[Look]:
    """The servers at ``base_url`` (commas between), or else those that ``up`` started, or else one on the usual port.

    One that does not answer is left out with a warning. Raises NotRunning when none answers, NotAvailable when what
    answers serves no model, InputError for an address or a key that makes no sense.
    """
    looks, faults = [], []
    for url in addresses(base_url):
        try:
            looks.append(_look(url, base_url is not None, ca_file))
        except NotRunning as error:
            faults.append(error)
    if not looks:
        raise faults[0]
    for fault in faults:
        _log.warning("%s", fault)
    return looks


def _look(url: str, is_named: bool, ca_file: Path | None) -> Look:
    from lcrag.backends.http import HttpClient
    from lcrag.backends.served import cache_tokens, metric, metrics, served_model

    http = HttpClient(url, send_key=is_named, ca_file=ca_file)
    served = served_model(http)
    page = metrics(http)
    return Look(
        url=http.root,
        model=served.name,
        window=served.window,
        cache_tokens=cache_tokens(page),
        cache_used=metric(page, "vllm:kv_cache_usage_perc"),
        prefix_queries=metric(page, "vllm:prefix_cache_queries_total"),
        prefix_hits=metric(page, "vllm:prefix_cache_hits_total"),
        running=metric(page, "vllm:num_requests_running"),
        waiting=metric(page, "vllm:num_requests_waiting"),
        log=next((server.log for server in remembered() if server.url == http.root), None),
    )
