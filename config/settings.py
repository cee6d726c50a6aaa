"""Every setting, typed, with one sentence and a unit.

In: nothing. Out: the shapes that `config.load` fills from TOML and environment. Defaults are what
a careful operator would choose; where a default has a precedent or a reason, it stands beside it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from config.base import CategoryName, Duration, Name, Port, Positive, Scope, Section, Size
from config.policies import (
    AccountCaps,
    CampaignCaps,
    CapReached,
    Caps,
    CatchUp,
    FrequencyCap,
    Keywords,
    Moderation,
    OnQuiet,
    Policy,
    SendWindow,
)
from protocol import tlv


class Tls(Section, frozen=True):
    """A server's certificate."""

    certificate: str
    """PEM file with the chain, leaf first."""
    key: str
    """PEM file with the private key."""


class Http(Section, frozen=True):
    """The customers' HTTP API."""

    host: str = "127.0.0.1"
    """Address to listen on; the default keeps an unconfigured gateway private."""
    port: Port = 8080
    """TCP port; 0 lets the system choose."""
    tls: Tls | None = None
    """Serve HTTPS directly; without it a TLS proxy belongs in front."""
    max_body: Size = Size(16 << 20)
    """Largest JSON body, octets; streams of recipients are not limited by it."""
    requests_per_second: Positive = 10_000
    """Requests one key may make each second, on average; beyond it 429. More than one node can
    answer: it stops a runaway client, batches are the way to more messages."""
    max_concurrent: Positive = 1_000
    """Requests being worked on at once; beyond it 503 with Retry-After."""


class SmppTls(Section, frozen=True):
    """The certificate of an SMPP port."""

    certificate: str
    """PEM file with the chain, leaf first."""
    key: str
    """PEM file with the private key."""
    client_ca: str | None = None
    """PEM file of the CAs whose client certificates are demanded; without it none is."""


class SmppPort(Section, frozen=True):
    """A port SMPP customers bind to; without one there is no SMPP server. Several may be given: a
    plain one inside, one with TLS outside."""

    host: str = "127.0.0.1"
    """Address to listen on; the default keeps an unconfigured gateway private."""
    port: Port = 2775
    """TCP port (2775 is IANA's for SMPP, 3550 for SMPP over TLS); 0 lets the system choose."""
    tls: SmppTls | None = None
    """Speak TLS from the first octet."""
    system_id: Annotated[str, Meta(max_length=15)] = "aldis"
    """What we call ourselves in bind responses."""
    max_connections: Positive = 12_000
    """Connections at once; beyond it new ones are closed. Less than 10 KiB each beside the
    kernel's buffers, and a file descriptor."""
    max_unbound: Positive = 2_000
    """Connections that have not bound yet, at most half of them from one network; beyond it new
    ones are closed."""
    bind_timeout: Duration = Duration(10)
    """Until a connection must have bound (session_init_timer)."""
    enquire_interval: Duration = Duration(60)
    """Between our enquire_links on an idle bind; most customers' own are more frequent."""
    response_timeout: Duration = Duration(30)
    """Until an unanswered deliver_sm is offered again, or a silent bind is given up."""
    inactivity_timeout: Duration = Duration(0)
    """Unbind a customer that sent no message for so long; 0: never, enquire_link tells."""


class Ops(Section, frozen=True):
    """Metrics and health, on their own port so that it can stay inside."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 9090
    """TCP port; 0 lets the system choose."""
    full_capture: bool = False
    """Whether `aldis capture --full` may show numbers and texts; passwords it never shows."""


class StoreSettings(Section, frozen=True):
    """Where messages are kept."""

    path: str = "data/aldis.db"
    """SQLite file; its directory is created, readable by its owner only."""
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    """FULL: accepted means on disk. NORMAL can lose the last commits in a power cut."""
    cache: Size = Size(64 << 20)
    """SQLite page cache, octets."""
    max_waiting: Positive = 20_000_000
    """Messages that may wait before new ones are answered 503; about 250 octets of disk each."""
    keep_text: Duration = Duration(7 * 86_400)
    """How long texts stay after a message ended."""
    keep_messages: Duration = Duration(90 * 86_400)
    """How long messages and their numbers stay after they ended."""
    keep_events: Duration = Duration(4 * 86_400)
    """How long the event log stays for replay and retries: a day more than the last retry takes
    (75 h). Endpoints away for longer lose events, counted."""
    keep_receipts: Duration = Duration(86_400)
    """How long a receipt without a message waits for its response before it is an orphan."""
    receipt_timeout: Duration = Duration(3 * 86_400)
    """How long after its submission a message waits for a receipt before it ends as `unknown`."""


class Log(Section, frozen=True):
    """The log: one JSON object a line on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level written."""
    format: Literal["json", "text"] = "json"
    """`text` is for a person at a terminal."""


class Webhooks(Section, frozen=True):
    """Delivery of events to customers."""

    allow_private: bool = False
    """Whether targets may be on private, loopback or link-local networks."""
    timeout: Duration = Duration(15)
    """How long a target may take to answer 2xx (the Standard Webhooks' advice is 15-30 s)."""
    concurrency: Positive = 4
    """POSTs under way at once to one endpoint."""
    max_wait: Duration = Duration(1)
    """How long an event may wait for others to fill a batch."""


class Gateway(Section, frozen=True):
    """The process."""

    node: Annotated[int, Meta(ge=0, le=1023)] = 0
    """Number of this node in ids; distinct for gateways that share data."""
    drain_timeout: Duration = Duration(30)
    """How long a stop waits for answers on the wire; Kubernetes grants 30 s by default."""


class Key(Section, frozen=True):
    """An API key given in the configuration: exactly one of value, hash, env."""

    value: str | None = None
    """The key itself; for trials. In production prefer `hash` or `env`."""
    hash: str | None = None
    """SHA-256 of the key in hex, as `aldis keys hash` prints it."""
    env: str | None = None
    """Environment variable that holds the key."""
    scopes: tuple[Scope, ...] = ("messages:write", "messages:read")
    """What the key may do."""
    networks: tuple[str, ...] = ()
    """CIDR networks it may be used from; empty for any."""


class WebhookEndpoint(Section, frozen=True):
    """An endpoint given in the configuration."""

    url: str
    """Where events are posted."""
    secret: str | None = None
    """`whsec_` and base64 of 24-64 octets."""
    secret_env: str | None = None
    """Environment variable that holds the secret; exactly one of secret, secret_env."""
    types: tuple[str, ...] = ()
    """Event types wanted; empty for all."""
    batched: bool = True
    """Status events in lists of up to 500."""


class SmppLogin(Section, frozen=True):
    """SMPP credentials of an account: exactly one of password, password_hash, password_env."""

    system_id: Annotated[str, Meta(min_length=1, max_length=15)]
    """Login (SMPP 3.4 §5.2.1: at most 15 octets); unique among all accounts."""
    password: str | None = None
    """The password itself, at most 8 octets by the specification; for trials."""
    password_hash: str | None = None
    """Its scrypt hash, as `aldis keys smpp-hash` prints it."""
    password_env: str | None = None
    """Environment variable that holds the password."""
    networks: tuple[str, ...] = ()
    """CIDR networks it may bind from; empty for any."""
    require_tls: bool = False
    """Refuse binds on ports without TLS."""
    bind: tuple[Literal["tx", "rx", "trx"], ...] = ("tx", "rx", "trx")
    """Kinds of bind it may make."""
    max_binds: Annotated[int, Meta(ge=1, le=100_000)] = 10
    """Binds at once, of all kinds together."""
    window: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    """Requests of one bind we work on at once; beyond it we stop reading until some are
    answered, so a customer that sends on simply waits."""
    deliver_window: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """Receipts and replies that may be unanswered on one bind."""
    rate: Annotated[float, Meta(gt=0, le=1_000_000)] = 1_000.0
    """Messages per second over all binds; a second's worth may come at once."""
    max_delay: Duration = Duration(2)
    """A burst above the rate is answered late; what would wait longer than this is answered
    ESME_RTHROTTLED."""
    alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    """What data_coding 0 means to this customer."""
    data_coding: dict[Literal["gsm", "ucs2", "latin1", "ascii", "binary"], int] = {}
    """data_coding values where the customer's differ from the specification's: npm's smpp says 1
    and means gsm."""
    message_id: Literal["decimal", "hex", "public"] = "decimal"
    """How our message ids are spelt to it; `public` is the `msg_...` of the HTTP API."""
    category: CategoryName | None = None
    """Category of its messages; default: the account's `default_category`."""
    service_types: dict[Annotated[str, Meta(max_length=5)], CategoryName] = {}
    """Category by service_type, where the customer tells codes from adverts by it."""
    tlvs: tuple[str, ...] = ()
    """Tags (`"0x1400"`) whose TLVs are passed on to operators; `*` for all of the vendor range."""
    receipt_zone: str = "UTC"
    """Time zone of the dates in receipts."""
    outbind: str | None = None
    """`host:port` we connect to and send an outbind when something waits and no receiver is
    bound; the customer then binds over that connection."""
    outbind_password: str | None = None
    """Password of the outbind; at most 8 octets."""


class Account(Section, frozen=True):
    """A tenant."""

    name: Name
    """Its name in the API, the metrics and the store."""
    keys: tuple[Key, ...] = ()
    """API keys; more can be made with `aldis keys create`."""
    webhooks: tuple[WebhookEndpoint, ...] = ()
    """Endpoints; more can be made through the API."""
    senders: tuple[str, ...] = ("*",)
    """Sender names and numbers it may use; `*` for any."""
    default_sender: str | None = None
    """Sender of messages that name none."""
    default_region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166 code national numbers are read in (`06 12 ...`); without it they are refused."""
    countries: tuple[Annotated[str, Meta(pattern=r"^([A-Z]{2}|\*)$")], ...] = ("*",)
    """ISO 3166 codes it may send to; `*` for any."""
    default_category: CategoryName = "service"
    """Category of messages that name none."""
    max_parts: Annotated[int, Meta(ge=1, le=255)] = 3
    """Most parts of one message (3 = 459 characters); longer texts are refused, never cut."""
    validity: Duration = Duration(86_400)
    """How long a message may try to leave when it does not say itself."""
    mobile_only: bool = True
    """Refuse numbers that cannot be mobile."""
    smpp: tuple[SmppLogin, ...] = ()
    """SMPP logins. Receipts and replies go to any receiver bound with one of them."""
    inbound_numbers: tuple[str, ...] = ()
    """Our numbers whose replies belong to this account."""
    max_waiting: Positive = 10_000_000
    """Messages that may wait before the account is answered 429."""
    moderation: Moderation = Moderation()
    """Which of its texts wait for a moderator."""
    strict_consent: bool = False
    """Advertising needs a recorded consent of the recipient; without one it is refused."""
    quiet_hours: Literal["standard", "strict", "none"] = "standard"
    """Rules for when recipients may be disturbed: `strict` takes a country's stricter rule where
    it has one; `none` is for accounts whose own platform keeps the hours."""
    on_quiet: OnQuiet = "defer"
    """What happens to a message that may not leave at this hour and does not say itself: defer
    (wait for the next opening), reject (refuse it), drop (accept it and end it at once)."""
    catch_up: CatchUp = "send"
    """What happens to a message that has a time (`send_at`, or it was put off for the hour) and
    misses it, because the gateway or its operators were down: send it late, or skip it (it ends as
    `expired`)."""
    catch_up_late: Duration = Duration(3600)
    """How late is too late for `skip`; a backlog makes messages late too."""
    senders_registered: bool = False
    """Only senders of the registry (`/v1/senders`) that are approved and in date may be used."""
    foreign_sender: Literal["reject", "force"] = "reject"
    """A sender the account may not use: refuse the submission, or put `default_sender` in its
    place."""
    rate: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    """PDUs per second over all carriers; without it only the carriers' rates hold."""
    caps: AccountCaps = AccountCaps()
    """PDUs per minute, hour and day over all carriers."""
    frequency: tuple[FrequencyCap, ...] = ()
    """How many messages one person may get."""
    suppress_after: Annotated[int, Meta(ge=0, le=100)] = 3
    """A number is suppressed after so many permanent failures in a row; 0: never."""
    keywords: Keywords = Keywords()
    """What is answered to STOP, HELP, START and JOIN."""
    keep_text: Duration | None = None
    """How long texts stay after a message ended; never longer than the store keeps them."""
    keep_messages: Duration | None = None
    """How long messages and numbers stay after they ended; never longer than the store keeps
    them."""


class CarrierTls(Section, frozen=True):
    """TLS towards an operator; verified unless said otherwise."""

    ca: str | None = None
    """PEM file of the operator's CA; default: the system's."""
    server_name: str | None = None
    """Name to verify and send as SNI; default: the host."""
    certificate: str | None = None
    """Client certificate, PEM."""
    key: str | None = None
    """Client key, PEM."""
    verify: bool = True
    """Whether the certificate is checked."""


class TonNpi(Section, frozen=True):
    """Type of number and numbering plan for one kind of address."""

    ton: Annotated[int, Meta(ge=0, le=255)]
    """Type of number (SMPP 3.4 §5.2.5)."""
    npi: Annotated[int, Meta(ge=0, le=255)]
    """Numbering plan indicator (SMPP 3.4 §5.2.6)."""


LanguageName = Literal[
    "turkish",
    "spanish",
    "portuguese",
    "bengali",
    "gujarati",
    "hindi",
    "kannada",
    "malayalam",
    "oriya",
    "punjabi",
    "tamil",
    "telugu",
    "urdu",
]
"""The national languages of 3GPP TS 23.038 §6.2.1.2.4."""


TLV_KINDS: Final = {
    "c-octet": tlv.C_OCTET_STRING,
    "octet": tlv.OCTET_STRING,
    "integer": tlv.INTEGER,
}
"""`kind` of a CarrierTlv, in the specification's words."""


class CarrierTlv(Section, frozen=True):
    """A TLV this carrier wants, under the name a submission knows it by."""

    tag: Annotated[str, Meta(pattern=r"^0[xX][0-9A-Fa-f]{1,4}$")]
    """Its tag, `"0x1400"`; vendor tags (0x1400-0x3FFF) mean something else to each carrier."""
    kind: Literal["c-octet", "octet", "integer"] = "octet"
    """How a value is written: text with its NUL, text or octets, or a number."""
    octets: Annotated[int, Meta(ge=1, le=8)] = 1
    """Octets of an integer."""
    value: str | None = None
    """Value for messages that give none; without it they carry no such TLV."""
    required: bool = False
    """Refuse messages that would leave without it."""


class Outbind(Section, frozen=True):
    """An operator that calls us (SMPP 3.4 §2.2.1): it connects and sends outbind, and we bind as
    receiver over its connection."""

    listen: str
    """`host:port` we listen on."""
    system_id: Annotated[str, Meta(max_length=15)] = ""
    """What the operator must call itself; empty for anything."""
    password: str | None = None
    """What its outbind must carry; without it any."""
    networks: tuple[str, ...] = ()
    """CIDR networks it may call from; empty for any."""


class StatusRule(Section, frozen=True):
    """What one command_status of this carrier means, where it differs from the common table."""

    action: Literal["throttle", "retry", "next_carrier", "reject", "fail"]
    """throttle: not an attempt, slow down. retry: later, bounded. reject, fail: final."""
    reason: str | None = None
    """Reason code for the customer (`operator_blocked`, ...)."""


class Carrier(Section, frozen=True):
    """An operator or aggregator we bind to. All of it may also come from a profile file."""

    name: Name
    """Its name in routes, metrics and reports."""
    profile: str | None = None
    """Profile file whose settings apply where this table says nothing
    (a name in `config/carriers/` or a path)."""
    hosts: tuple[str, ...] = ()
    """`host:port`, tried in turn."""
    system_id: Annotated[str, Meta(max_length=15)] = ""
    """Login (SMPP 3.4 §5.2.1: at most 15 octets)."""
    password: str | None = None
    """Password; at most 8 octets by the specification. Prefer `password_env`."""
    password_env: str | None = None
    """Environment variable that holds the password."""
    system_type: Annotated[str, Meta(max_length=12)] = ""
    """What the operator wants in system_type."""
    interface_version: Literal["3.3", "3.4", "5.0"] = "3.4"
    """SMPP version offered."""
    address_range: Annotated[str, Meta(max_length=40)] = ""
    """address_range of receiver binds."""
    tls: CarrierTls | None = None
    """Speak TLS."""
    bind: Literal["trx", "tx+rx", "tx"] = "trx"
    """One transceiver, or a transmitter and a receiver, for each bind; `tx` alone where the
    operator delivers by `outbind`."""
    outbind: Outbind | None = None
    """Let the operator call us for what it has to deliver."""
    binds: Annotated[int, Meta(ge=1, le=64)] = 1
    """Parallel binds; operators typically allow 1-4."""
    window: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Unanswered submits on one bind; operators typically allow 10."""
    rate: Annotated[float, Meta(gt=0, le=1_000_000)] = 30.0
    """PDUs per second over all binds; operators typically grant 30-150."""
    burst: Positive | None = None
    """PDUs that may leave at once after a pause; default: a tenth of a second's rate, at least
    one window."""
    connect_timeout: Duration = Duration(10)
    """TCP, TLS and bind together."""
    response_timeout: Duration = Duration(30)
    """Until an unanswered submit is `outcome_unknown`."""
    inactivity_timeout: Duration = Duration(0)
    """Drop a link that carried no message for so long; 0: never, enquire_link tells."""
    enquire_interval: Duration = Duration(30)
    """Between our enquire_links on an idle link."""
    enquire_always: bool = False
    """Enquire under traffic too: some operators want it."""
    enquire_minimum_gap: Duration = Duration(10)
    """Never enquire more often: some operators forbid it."""
    reconnect_min: Duration = Duration(1)
    """First pause after a lost link; doubles, with jitter."""
    reconnect_max: Duration = Duration(60)
    """Longest pause after a lost link."""
    refused_pause: Duration = Duration(300)
    """Pause after refused credentials: hammering gets an account locked."""
    alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    """What data_coding 0 means to this operator."""
    data_coding: dict[Literal["gsm", "ucs2", "latin1", "ascii", "binary"], int] = {}
    """data_coding values where they differ from the specification's."""
    long_message: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    """How parts are tied together."""
    national: tuple[LanguageName, ...] = ()
    """National alphabets its phones show (3GPP TS 23.038 §6.2.1.2): tried before UCS-2."""
    packed: bool = False
    """Septets travel eight to seven octets; hardly any operator wants it."""
    source: dict[Literal["alphanumeric", "international", "short_code"], TonNpi] = {}
    """TON/NPI of our senders where they differ from 5/0, 1/1, 3/0."""
    destination: TonNpi = TonNpi(ton=1, npi=1)
    """TON/NPI of recipients."""
    region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166 code of the country whose national numbers its replies come from and to
    (`0612345678`); without it such a phone is nobody's, and its STOP stops nothing."""
    short_code_digits: Annotated[int, Meta(ge=1, le=15)] = 8
    """A numeric sender of at most so many digits is a short code."""
    service_type: Annotated[str, Meta(max_length=5)] = ""
    """service_type of every submit_sm."""
    validity_format: Literal["none", "relative", "absolute"] = "relative"
    """How validity_period is written."""
    receipts: bool = True
    """Ask for delivery receipts."""
    message_id: Literal[
        "auto", "as_is", "hex", "dec", "resp_hex_receipt_dec", "resp_dec_receipt_hex"
    ] = "auto"
    """How ids in responses and receipts relate; `auto` learns it."""
    receipt_zone: str = "UTC"
    """Time zone of the dates in receipts."""
    tlvs: dict[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")], CarrierTlv] = {}
    """TLVs by the name a submission's `tlvs` gives, or constant for all messages."""
    status: dict[str, StatusRule] = {}
    """command_status (`"0x58"` or `"ESME_RTHROTTLED"`) that mean something else here."""
    max_attempts: Annotated[int, Meta(ge=1, le=20)] = 3
    """Submissions to this carrier before the next one of the route is tried."""
    retry_delay: Duration = Duration(5)
    """Before a second attempt; doubles, with jitter."""
    on_unknown: dict[CategoryName, Literal["resend", "fail"]] = {}
    """What to do with a submit nobody answered, where it differs from the default by category."""
    zone: str = "UTC"
    """Time zone of its send windows and caps."""
    send_windows: tuple[SendWindow, ...] = ()
    """When it takes messages; without one always. Several are added together."""
    caps: Caps = Caps()
    """PDUs per minute, hour and day it takes, over all binds, counted in `zone`."""
    cap_reached: CapReached = "hold"
    """What happens to messages beyond a cap: hold (wait for the next period), or fail (the next
    carrier of the route, else they end as `throttled_out`)."""
    campaign_caps: CampaignCaps | None = None
    """Caps for each campaign registered with it (US 10DLC)."""
    senders_registered: bool = False
    """Only senders that the registry says are approved with this carrier leave over it."""
    templates_required: tuple[CategoryName, ...] = ()
    """Categories whose texts must match a template approved with this carrier."""
    template_fallback: Literal["reject", "advertising"] = "reject"
    """What a text of such a category that matches none is: not taken here, or taken as
    advertising."""


class RouteCarrier(Section, frozen=True):
    """A carrier's place in a route."""

    name: Name
    """A `[[carrier]]`."""
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Its share of what carriers of the same rank can take."""
    rank: Annotated[int, Meta(ge=0, le=100)] = 0
    """Higher ranks take over only while no lower one is up."""


class Route(Section, frozen=True):
    """A named choice of carriers. The most specific route wins: account, then longest prefix,
    then country, then order in the file."""

    name: Name
    """Its name in reports."""
    carriers: tuple[str | RouteCarrier, ...]
    """Carrier names, or tables with weight and rank."""
    prefixes: tuple[Annotated[str, Meta(pattern=r"^\+?[0-9]{1,15}$")], ...] = ()
    """E.164 prefixes it serves; empty for any."""
    countries: tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2}$")], ...] = ()
    """ISO 3166 codes it serves; empty for any."""
    accounts: tuple[str, ...] = ()
    """Accounts it serves; empty for any."""


class Settings(Section, frozen=True):
    """The whole configuration file."""

    gateway: Gateway = Gateway()
    """The process."""
    http: Http = Http()
    """The customers' HTTP API."""
    smpp: tuple[SmppPort, ...] = ()
    """The customers' SMPP ports."""
    ops: Ops = Ops()
    """Metrics and health."""
    store: StoreSettings = StoreSettings()
    """Where messages are kept."""
    log: Log = Log()
    """The log."""
    webhooks: Webhooks = Webhooks()
    """Delivery of events."""
    policy: Policy = Policy()
    """Rules that change by law or contract: which files, which lists."""
    account: tuple[Account, ...] = ()
    """Tenants."""
    carrier: tuple[Carrier, ...] = ()
    """Operators."""
    route: tuple[Route, ...] = ()
    """Ways from one to the other."""
