"""Every metric in one table, and the object the stages write to.

In: counts and lists of observations. Out: the Prometheus exposition. Knows no stage. Labels are
names from the configuration and codes from our tables, never numbers, texts or ids, so that the
number of series has a limit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a commit (1 ms) to a response timeout (30 s)."""

WAITING: Final = (
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    5.0,
    30.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    21600.0,
    86400.0,
)
"""From an idle queue to a day's backlog; receipts take as long as phones stay off."""


class Row(msgspec.Struct, frozen=True):
    """One metric: what the exposition and the documentation say of it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


TABLE: Final[list[Row]] = []


def _row(
    kind: Literal["counter", "gauge", "histogram"],
    name: str,
    help: str,
    *labels: str,
    buckets: tuple[float, ...] = (),
) -> Row:
    row = Row(f"aldis_{name}", kind, help, labels, buckets)
    TABLE.append(row)
    return row


# ingress
HTTP_REQUESTS = _row(
    "counter", "http_requests_total", "HTTP requests answered.", "route", "method", "status"
)
HTTP_SECONDS = _row(
    "histogram", "http_request_seconds", "Time to answer a request.", "route", buckets=SECONDS
)
ACCEPTED = _row("counter", "messages_accepted_total", "Messages accepted.", "account", "lane")
ACCEPT_SECONDS = _row(
    "histogram",
    "accept_seconds",
    "From the request's first octet to its commit.",
    "route",
    buckets=SECONDS,
)
INELIGIBLE = _row("counter", "messages_ineligible_total", "Refused.", "account", "reason")
AUTH_FAILURES = _row("counter", "auth_failures_total", "Requests refused for their key.", "reason")

# stop-words
STOP_WORD_HITS = _row(
    "counter", "stop_word_hits_total", "Entries found, by message.", "list", "class"
)
STOP_WORD_LISTS = _row(
    "gauge", "stop_word_list_entries", "Entries of the lists in force.", "list", "version"
)
FREQUENCY_ENTRIES = _row(
    "gauge", "frequency_entries", "Messages remembered for frequency caps, of 20 million."
)
FREQUENCY_UNREAD = _row(
    "gauge", "frequency_caps_unread", "Frequency caps whose past is being read: 503 meanwhile."
)

# the SMPP server
SMPP_CONNECTIONS = _row("gauge", "smpp_connections", "Customers' connections.", "state")
SMPP_BINDS = _row("gauge", "smpp_binds", "Customers' binds.", "account")
SMPP_BIND_ATTEMPTS = _row("counter", "smpp_bind_attempts_total", "Binds answered.", "result")
SMPP_ENDS = _row("counter", "smpp_connection_ends_total", "Connections that ended.", "reason")
SMPP_REQUESTS = _row(
    "counter", "smpp_requests_total", "Requests answered.", "account", "command", "status"
)
SMPP_REFUSED = _row(
    "counter",
    "smpp_refused_total",
    "Requests the session's state forbids, and PDUs that did not parse.",
    "command",
    "status",
)
SMPP_UNEXPECTED = _row(
    "counter", "smpp_unexpected_total", "Responses nobody waited for.", "command"
)
SMPP_READING_PAUSED = _row(
    "counter", "smpp_reading_paused_total", "Binds not read for a while: window full.", "account"
)
SMPP_ENQUIRIES = _row("counter", "smpp_enquiries_total", "Customers' enquire_links answered.")
SMPP_DELAYED = _row(
    "counter", "smpp_delayed_total", "Messages answered late to hold the login's rate.", "account"
)
SMPP_DELIVERIES = _row(
    "counter",
    "smpp_deliveries_total",
    "Receipts and replies offered to receivers.",
    "account",
    "result",
)
SMPP_OUTBINDS = _row("counter", "smpp_outbinds_total", "Calls of customers.", "result")
SMPP_WAITING_PARTS = _row(
    "gauge", "smpp_waiting_parts", "Parts of split messages whose others have not come."
)
CAPTURES = _row(
    "counter", "captures_total", "Captures of a carrier's or account's PDUs.", "kind", "name"
)
CAPTURE_DROPPED = _row(
    "counter",
    "capture_dropped_octets_total",
    "Octets a capture could not keep.",
    "kind",
    "name",
)

# dispatch
SUBMITS = _row("counter", "submits_total", "submit_sm answered.", "carrier", "lane", "status")
SETTLED = _row(
    "counter", "messages_settled_total", "Leases ended.", "carrier", "lane", "outcome", "reason"
)
QUEUE_AGE = _row(
    "histogram",
    "queue_age_seconds",
    "From when a message was due to its lease.",
    "lane",
    buckets=WAITING,
)
SUBMIT_SECONDS = _row(
    "histogram", "submit_seconds", "submit_sm round trip.", "carrier", buckets=SECONDS
)
WINDOW_USED = _row("gauge", "window_used", "Unanswered submits.", "carrier")
WINDOW_SIZE = _row("gauge", "window_size", "Submits that may be unanswered.", "carrier")
BINDS_UP = _row("gauge", "binds_up", "Bound sessions.", "carrier")
BINDS_WANTED = _row("gauge", "binds_wanted", "Sessions the configuration asks for.", "carrier")
RATE_NOW = _row("gauge", "rate_pdus_per_second", "Rate in force, slow-down included.", "carrier")
THROTTLED = _row("counter", "throttled_total", "Submits the carrier throttled.", "carrier")
SEND_WINDOW_OPEN = _row(
    "gauge", "send_window_open", "1 while the carrier takes the category.", "carrier", "category"
)
CAP_LIMIT = _row("gauge", "cap_limit_pdus", "PDUs a period may have.", "carrier", "period")
CAP_USED = _row("gauge", "cap_used_pdus", "PDUs the present period has had.", "carrier", "period")
ACCOUNT_CAP_LIMIT = _row(
    "gauge", "account_cap_limit_pdus", "PDUs a period of an account may have.", "account", "period"
)
ACCOUNT_CAP_USED = _row(
    "gauge", "account_cap_used_pdus", "PDUs its present period has had.", "account", "period"
)
PUT_OFF = _row(
    "counter",
    "put_off_total",
    "Leased messages that had to wait, or went elsewhere, for a window or a limit.",
    "carrier",
    "cause",
)
RECONNECTS = _row("counter", "reconnects_total", "Attempts to bind.", "carrier", "result")
LINK_ENDS = _row("counter", "link_ends_total", "Links that ended.", "carrier", "reason")
POSSIBLE_DUPLICATES = _row(
    "counter", "possible_duplicates_total", "Resent without knowing the fate.", "carrier"
)
OUTCOME_UNKNOWN = _row(
    "counter", "outcome_unknown_total", "Submits without an answer.", "carrier", "cause"
)
LATE_RESPONSES = _row("counter", "late_responses_total", "Answers after giving up.", "carrier")
UNEXPECTED_PDUS = _row(
    "counter", "unexpected_pdus_total", "PDUs nobody waited for.", "carrier", "command"
)
REFUSED_PDUS = _row(
    "counter", "refused_pdus_total", "Requests the session's state forbade.", "carrier", "command"
)
MALFORMED_PDUS = _row("counter", "malformed_pdus_total", "PDUs that did not parse.", "carrier")
ENQUIRIES = _row("counter", "enquiries_total", "The carrier's enquire_links answered.", "carrier")
READING_PAUSED = _row(
    "counter",
    "reading_paused_total",
    "Links not read for a while, too much of theirs being unanswered.",
    "carrier",
)
CONGESTION_STATE = _row(
    "gauge", "congestion_state", "Load the operator last told of, 0-100 (SMPP 5.0).", "carrier"
)
UNKNOWN_TLVS = _row(
    "counter", "unknown_tlvs_total", "Named TLVs left out, once a content.", "carrier"
)
OUTBINDS = _row("counter", "outbinds_total", "Calls of the operator.", "carrier", "result")
OUTBINDS_UP = _row("gauge", "outbinds_up", "Receivers bound on its calls.", "carrier")

# returns
RECEIPTS = _row("counter", "receipts_total", "Receipts received.", "carrier", "state", "fate")
RECEIPT_DELAY = _row(
    "histogram",
    "receipt_delay_seconds",
    "From submission to receipt.",
    "carrier",
    buckets=WAITING,
)
ORPHANS = _row("counter", "orphan_receipts_total", "Receipts without a message.", "carrier")
INBOUND = _row("counter", "inbound_total", "Replies received.", "carrier", "fate")
RETURNS_REFUSED = _row(
    "counter", "returns_refused_total", "deliver_sm answered with an error.", "carrier", "status"
)
KEYWORDS = _row("counter", "keywords_total", "Replies that were keywords.", "account", "kind")
KEYWORD_ANSWERS = _row(
    "counter",
    "keyword_answers_total",
    "Answers to keywords: accepted, or why there was none.",
    "account",
    "kind",
    "fate",
)
KEYWORD_RULES_OFF = _row(
    "counter", "keyword_rules_disabled_total", "Rules that timed out too often.", "account"
)
KEYWORD_RULES_SKIPPED = _row(
    "counter", "keyword_rules_skipped_total", "Patterns not tried: others had taken the time."
)

# store
QUEUE_DEPTH = _row("gauge", "queue_depth", "Messages waiting.", "lane")
OLDEST_DUE = _row("gauge", "oldest_due_seconds", "Age of the oldest due message.", "lane")
STORE_SECONDS = _row(
    "histogram", "store_seconds", "A store call, waiting included.", "call", buckets=SECONDS
)
STORE_COMMITS = _row("counter", "store_commits_total", "Transactions committed.")
STORE_ERRORS = _row("counter", "store_errors_total", "Store calls that failed.", "call", "error")
STORE_WAITING = _row("gauge", "store_calls_waiting", "Calls waiting for a commit.")
ILLEGAL_TRANSITIONS = _row("counter", "illegal_transitions_total", "Ignored.", "before", "after")
FINISHED = _row("counter", "messages_finished_total", "Final statuses.", "status")
NUMBERS_SUPPRESSED = _row(
    "counter", "numbers_suppressed_total", "Numbers that failed for good too often.", "account"
)
PRUNED = _row("counter", "pruned_total", "Rows removed by retention.", "table")

# moderation
MODERATION_ITEMS = _row(
    "gauge", "moderation_items", "Undecided texts that messages wait for.", "account"
)
MODERATION_MESSAGES = _row(
    "gauge", "moderation_messages", "Messages that wait for a moderator.", "account"
)
MODERATION_OLDEST = _row(
    "gauge",
    "moderation_oldest_seconds",
    "How long the oldest undecided text has held messages.",
    "account",
)
MODERATION_SECONDS = _row(
    "histogram",
    "moderation_seconds",
    "From the first message held for a text to the decision.",
    "account",
    buckets=WAITING,
)
MODERATION_DECISIONS = _row(
    "counter", "moderation_decisions_total", "Texts decided.", "account", "decision"
)
MODERATION_HELD = _row(
    "counter", "moderation_held_total", "Messages held for a moderator.", "account"
)
MODERATION_CARRIED = _row(
    "counter",
    "moderation_carried_total",
    "Held messages that a decision released or rejected.",
    "account",
    "fate",
)

# refusals
OPT_OUTS = _row("gauge", "opt_outs", "Refusals that stand, about.")
OPT_OUTS_RECORDED = _row("counter", "opt_outs_recorded_total", "Refusals recorded.", "source")
OPT_OUTS_REMOVED = _row("counter", "opt_outs_removed_total", "Refusals taken back.", "source")
OPT_OUT_CANCELED = _row(
    "counter",
    "opt_out_canceled_total",
    "Messages cancelled because of a refusal: when it came, or when they were to leave.",
    "when",
)
OPT_OUT_MARKS_READY = _row(
    "gauge",
    "opt_out_filter_ready",
    "1 once the filter in front of the ledger is filled; until then every number is looked up.",
)
OPT_OUT_MARKS = _row("gauge", "opt_out_filter_octets", "Memory of that filter.")

# events
QUIET_HOURS = _row(
    "counter",
    "quiet_hours_total",
    "Messages that came, or were still there, when it was not the hour: deferred, deferred_again, "
    "rejected, dropped, beyond_validity.",
    "rule",
    "outcome",
)
WEBHOOK_POSTS = _row("counter", "webhook_posts_total", "POSTs to endpoints.", "account", "result")
WEBHOOK_EVENTS = _row("counter", "webhook_events_total", "Events acknowledged.", "account", "type")
WEBHOOK_SECONDS = _row("histogram", "webhook_seconds", "One POST.", "account", buckets=SECONDS)
WEBHOOK_DEAD = _row("counter", "webhook_dead_total", "Deliveries given up.", "account")
WEBHOOK_LOST = _row(
    "counter", "webhook_lost_total", "Log entries pruned before delivery.", "account"
)
SMPP_LOST = _row(
    "counter",
    "smpp_lost_total",
    "Receipts and replies pruned before a receiver took them.",
    "account",
)

# process
LOOP_LAG = _row(
    "histogram", "event_loop_lag_seconds", "How late the event loop runs.", buckets=SECONDS
)
TASK_ERRORS = _row("counter", "task_errors_total", "Errors at a task's outermost edge.", "task")
BUILD_INFO = _row("gauge", "build_info", "Always 1.", "version", "python")


class _Histogram(Collector):
    """A histogram that takes a list at once: sorting it costs 0.1 us a value, `observe` 1.5."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._series: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}

    def observe(self, values: Sequence[float], labels: tuple[str, ...]) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = ([0] * (len(self._row.buckets) + 1), [0.0])
        counts, total = series
        ordered = sorted(values)
        before = 0
        for position, bound in enumerate(self._row.buckets):
            upto = bisect_right(ordered, bound)
            counts[position] += upto - before
            before = upto
        counts[-1] += len(ordered) - before
        total[0] += sum(ordered)

    def describe(self) -> Iterable[Metric]:
        return [HistogramMetricFamily(self._row.name, self._row.help, labels=self._row.labels)]

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._row.name, self._row.help, labels=self._row.labels)
        for labels, (counts, total) in list(self._series.items()):
            cumulative = 0
            buckets: list[tuple[str, float]] = []
            for bound, count in zip((*self._row.buckets, "+Inf"), counts, strict=True):
                cumulative += count
                buckets.append((str(bound), cumulative))
            family.add_metric(labels, buckets, total[0])
        yield family


class Metrics:
    """One process's metrics; every write is for a whole list."""

    def __init__(self) -> None:
        # When a series began doubles the exposition and nobody here asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, _Histogram] = {}
        for row in TABLE:
            if row.kind == "counter":
                self._counters[row.name] = Counter(
                    row.name, row.help, row.labels, registry=self.registry
                )
            elif row.kind == "gauge":
                self._gauges[row.name] = Gauge(
                    row.name, row.help, row.labels, registry=self.registry
                )
            else:
                histogram = self._histograms[row.name] = _Histogram(row)
                self.registry.register(histogram)

    def count(self, row: Row, amount: float = 1, *labels: str) -> None:
        """Add `amount` to a counter."""
        counter = self._counters[row.name]
        (counter.labels(*labels) if row.labels else counter).inc(amount)

    def set(self, row: Row, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[row.name]
        (gauge.labels(*labels) if row.labels else gauge).set(value)

    def forget(self, row: Row, *labels: str) -> None:
        """End a gauge's series: what it told of is no more."""
        self._gauges[row.name].remove(*labels)

    def observe(self, row: Row, values: Sequence[float], *labels: str) -> None:
        """Add a list of observations to a histogram."""
        if values:
            self._histograms[row.name].observe(values, labels)

    def exposition(self) -> bytes:
        """The text Prometheus scrapes."""
        return generate_latest(self.registry)
