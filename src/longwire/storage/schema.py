"""The tables. Times are microseconds since 1970 UTC; the writer gives messages and deliveries their ids."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite knows a rowid only by the type INTEGER; elsewhere ids are 64 bits.
Id = BigInteger().with_variant(Integer, "sqlite")

setting = Table(
    "setting",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    comment="facts about this store: its id, the run marker, the proof of the secret key",
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("key_id", String, nullable=False),
    Column("key_name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("action", String, nullable=False),
    Column("resource", String, nullable=False),
    Column("resource_id", String, nullable=False),
    Column("changes", Text, nullable=False, comment="JSON, secrets masked"),
    comment="who changed what",
)

network_server = Table(
    "network_server",
    metadata,
    Column("id", String, primary_key=True),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("document", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_uplink_at", BigInteger),
)

device = Table(
    "device",
    metadata,
    Column("dev_eui", String, primary_key=True),
    Column("network_server_id", String, index=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column(
        "revision", Integer, nullable=False, server_default="1", comment="of what was set by hand; 0: nothing"
    ),
    Column("name", Text, comment="set by hand"),
    Column("tags", Text, comment="set by hand: a JSON array"),
    Column("learned_name", Text, comment="of the last CustomerData that had one"),
    Column("learned_tags", Text, comment="of the last CustomerData that had them: a JSON array"),
    Column("learned_driver", Text, comment="the last DriverCfg: a JSON object"),
    Column("counted_up_to", Id, comment="the last message that is counted in what follows"),
    Column("last_seen_at", BigInteger),
    Column("f_cnt_up", BigInteger),
    Column("last_rssi", Float),
    Column("last_snr", Float),
    Column("hourly", LargeBinary, comment="uplinks of each of the last hours up to that of last_seen_at"),
    sqlite_with_rowid=False,
)

device_connection = Table(
    "device_connection",
    metadata,
    Column("dev_eui", String, primary_key=True),
    Column("connection_id", Id, primary_key=True, index=True),
    sqlite_with_rowid=False,
    comment="the connections a device has besides those of its flows",
)

connection = Table(
    "connection",
    metadata,
    Column("id", Id, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column(
        "restarts",
        Integer,
        nullable=False,
        server_default="0",
        comment="how often it was restarted by command",
    ),
    Column(
        "running",
        Integer,
        comment="the revision that may have messages in flight: its lane was the last to begin; none: not yet known",
    ),
    Column("downlink_uuid", Text, nullable=False, comment="sealed: it alone authorizes downlinks"),
    Column("downlink_uuid_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("debug_until", BigInteger, comment="when debug turns itself off"),
    sqlite_autoincrement=True,
)

connection_revision = Table(
    "connection_revision",
    metadata,
    Column("connection_id", Id, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column(
        "document", Text, nullable=False, comment="JSON, secrets sealed; kept for the attempts made with it"
    ),
    sqlite_with_rowid=False,
)

connection_state = Table(
    "connection_state",
    metadata,
    Column("connection_id", Id, primary_key=True),
    Column("status", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("startup_time", BigInteger, comment="when it was opened last"),
    Column("down_since", BigInteger),
    Column("planned", BigInteger, comment="microseconds from down_since to the planned try"),
    Column("retry_at", BigInteger),
    Column("revision", Integer, comment="the newest whose saving was carried out"),
    Column("restarts", Integer, comment="how many restarts by command were carried out"),
)

flow = Table(
    "flow",
    metadata,
    Column("id", Id, primary_key=True),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("definition", String, nullable=False, unique=True, comment="what makes two flows the same"),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

message = Table(
    "message",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("network_server_id", String, nullable=False),
    Column("root", String, nullable=False),
    Column("dev_eui", String),
    Column("f_cnt", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("message_id", Id, nullable=False),
    Column("connection_id", Id, comment="none: no route"),
    Column("order_key", String, nullable=False),
    Column("position", Id, nullable=False, comment="the place in the connection's queue"),
    Column("received_at", BigInteger, nullable=False),
    Column(
        "aged_from",
        BigInteger,
        comment="the earlier of the message's Time and its receipt; none: its receipt",
    ),
    Column("expires_at", BigInteger, comment="when it is too old for the flow that led here; none: never"),
    Column("outcome", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("resends", Integer, nullable=False),
    Column("last_status", Integer),
    Column("last_cause", String),
    Column(
        "not_before",
        BigInteger,
        comment="when the resend is due; of what was taken out of the queue: until when it may still be in flight",
    ),
    Column("settled_at", BigInteger),
    Column("replayed_at", BigInteger, comment="when it was replayed last: from then on its age counts"),
    Column("replayed_after", Integer, comment="its attempt count then"),
    Column("replayed_from", String, comment="its outcome then"),
    Column("replay_id", Id, comment="the job that replayed it, until the job has counted its outcome"),
    Column("test", Boolean, nullable=False, server_default="0"),
    Index("delivery_by_time", "received_at"),
    Index("delivery_by_connection", "connection_id", "received_at"),
    Index(
        "delivery_dead",
        "received_at",
        "connection_id",
        "outcome",
        "last_status",
        sqlite_where=text("outcome NOT IN ('QUEUED', 'DELIVERED')"),
    ),
    Index("delivery_replayed", "replay_id", "outcome", sqlite_where=text("replay_id IS NOT NULL")),
    Index("delivery_by_message", "message_id"),
    Index("delivery_settled", "settled_at", sqlite_where=text("settled_at IS NOT NULL")),
    Index("delivery_waiting", "connection_id", "position", sqlite_where=text("outcome = 'QUEUED'")),
    Index(
        "delivery_waiting_by_device",
        "connection_id",
        "order_key",
        "position",
        sqlite_where=text("outcome = 'QUEUED'"),
    ),
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", Id, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("trigger", String, nullable=False),
    Column("duration", BigInteger, nullable=False, comment="microseconds"),
    Column("revision", Integer, nullable=False),
    Column("status", Integer),
    Column("cause", String),
    Column("detail", Text),
    Column("remote_address", String),
    Column("response_headers", Text),
    Column("response_body", LargeBinary),
    Column("truncated", Boolean),
    Column("request_body", LargeBinary, comment="kept while debug is on"),
    sqlite_with_rowid=False,
)

replay = Table(
    "replay",
    metadata,
    Column("id", Id, primary_key=True),
    Column("filter", Text, nullable=False, comment="JSON: which deliveries"),
    Column("connection_id", Id, comment="the filter's; none: deliveries of every connection"),
    Column("target_id", Id, comment="the connection they are sent to; none: each to its own"),
    Column("state", String, nullable=False),
    Column("count", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("after_time", BigInteger, nullable=False, comment="how far it has come: the last one's receipt"),
    Column("after_id", Id, nullable=False, comment="and its id"),
    Column(
        "is_placed", Boolean, nullable=False, comment="it has come to the end; what it placed is being sent"
    ),
    sqlite_autoincrement=True,
)

seen = Table(
    "seen",
    metadata,
    Column("hour", Integer, primary_key=True),
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    comment="messages of the last hours, in buckets, to recognise repeats",
)

traffic = Table(
    "traffic",
    metadata,
    Column("connection_id", Id, primary_key=True),
    Column("minute", Integer, primary_key=True, comment="since 1970"),
    Column("uplinks", Integer, nullable=False, comment="all that ended"),
    Column("failed", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Index("traffic_by_minute", "minute"),
    sqlite_with_rowid=False,
)

waited = Table(
    "waited",
    metadata,
    Column("connection_id", Id, primary_key=True),
    Column("minute", Integer, primary_key=True, comment="since 1970"),
    Column("messages", Integer, nullable=False, comment="how many waited when it ended"),
    Index("waited_by_minute", "minute"),
    sqlite_with_rowid=False,
    comment="a row only where the number changed",
)

active_thing = Table(
    "active_thing",
    metadata,
    Column("connection_id", Id, primary_key=True),
    Column("dev_eui", String, primary_key=True),
    Column(
        "step", Integer, nullable=False, comment="when it was active last, in steps of 5 minutes since 1970"
    ),
    Index("active_thing_by_step", "connection_id", "step"),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False, comment="of the first occurrence"),
    Column("level", String, nullable=False),
    Column("code", String, nullable=False),
    Column("connection_id", Id, comment="none: Longwire itself"),
    Column("message", Text, nullable=False),
    Column("data", Text, nullable=False, comment="JSON"),
    Index("event_by_time", "at"),
    Index("event_by_connection", "connection_id", "at"),
)

downlink = Table(
    "downlink",
    metadata,
    Column("id", Id, primary_key=True),
    Column("correlation_id", String, nullable=False),
    Column("dev_eui", String, nullable=False),
    Column("connection_id", Id, nullable=False),
    Column("network_server_id", String, nullable=False),
    Column("f_port", Integer, nullable=False),
    Column("payload_hex", String, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("sealed", Text, nullable=False, comment="what the application asked for, with its AS_KEY"),
    Column("status", String, nullable=False),
    Column("cause", Text),
    Column("attempts", Integer, nullable=False),
    Column("marked", Boolean, nullable=False, comment="a request may be under way"),
    Column("not_before", BigInteger, comment="when it is tried again"),
    Column("expires_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("downlink_by_device", "dev_eui", "id"),
    Index("downlink_by_connection", "connection_id", "id"),
    Index("downlink_by_time", "created_at", "connection_id", "status"),
    Index("downlink_queued", "id", sqlite_where=text("status = 'QUEUED'")),
    sqlite_autoincrement=True,
)
