"""The connector `actility-http-iot`: what its connections and their configurations hold (specification, section 3)."""

from datetime import timedelta
from enum import Enum

from longwire.core.connection_state import Status
from longwire.core.document import Member, Object
from longwire.core.downlink import AS_ID, PORT
from longwire.core.headers import HEADERS
from longwire.core.kinds import ID, TIME, Boolean, Choice, Duration, EmptyList, Integer, Number, Text
from longwire.core.schedule import Strategy
from longwire.core.validity import VALIDITY

CONNECTOR_ID = "actility-http-iot"


class StrictModeAction(Enum):
    """What strict mode does about an answer other than 2xx: send again, or close and keep the message first."""

    RESEND = "RESEND"
    CLOSE = "CLOSE"


_SECOND = timedelta(seconds=1)
_KEY = Text(pattern=r"[0-9A-Fa-f]{32}|\*{5}", says="expected 32 hexadecimal digits")
_PEM = Text(longest=64 * 1024, format="pem")

PROXY = Object(
    name="Proxy",
    members={
        "hostname": Member(
            kind=Text(shortest=1, format="longwire-proxy"),
            description="`http://host[:port]`, `https://...`, `socks5://...`, or bare `host[:port]` (port 3128).",
            required=True,
        ),
        "username": Member(
            kind=Text(longest=1024), description="The user name, where the proxy asks for one."
        ),
        "password": Member(kind=Text(longest=1024), description="The password.", secret=True),
    },
)

TLS = Object(
    name="Tls",
    members={
        "caCertificate": Member(
            kind=_PEM, description="PEM: the authority to trust in the place of the system's."
        ),
        "clientCertificate": Member(
            kind=_PEM, description="PEM: our certificate, where the destination asks for one."
        ),
        "clientKey": Member(kind=_PEM, description="PEM: its private key, without a password.", secret=True),
        "verify": Member(
            kind=Boolean(), description="False: any certificate of the destination is accepted.", default=True
        ),
    },
)

CONFIGURATION = Object(
    name="Configuration",
    members={
        "destinationURL": Member(
            kind=Text(
                shortest=1,
                pattern=r"[Hh][Tt][Tt][Pp][Ss]?://[\s\S]+",
                format="longwire-url",
                says="must begin with http:// or https://, and name a host",
            ),
            description="Where messages are sent, http:// or https://; path and query may hold patterns.",
            required=True,
        ),
        "headers": Member(
            kind=HEADERS,
            description="Headers of each request: name and value, which may hold patterns.",
            default={},
        ),
        "strictMode": Member(
            kind=Boolean(),
            description="True: an answer other than 2xx is sent again, up to 3 times, 2 s apart.",
            default=False,
        ),
        "strictModeAction": Member(
            kind=Choice(tuple(each.value for each in StrictModeAction)),
            description="What strict mode does: send again, or close the connection and keep the message.",
            default="RESEND",
        ),
        "description": Member(kind=Text(), description="A text for people."),
        "createDevices": Member(
            kind=Boolean(),
            description="Kept without effect: an HTTP destination has no devices to create.",
            default=True,
        ),
        "sendMetadata": Member(
            kind=Boolean(),
            description="True: only uplinks are sent, their members at top level, without the root.",
            default=False,
        ),
        "sendRawDecodedFormat": Member(
            kind=Boolean(),
            description="True: the body is the decoded payload alone, the whole message where there is none.",
            default=False,
        ),
        "downlinkEnabled": Member(
            kind=Boolean(),
            description="False: no downlinks, and no downlink address in what is sent.",
            default=True,
        ),
        "downlinkAsId": Member(kind=AS_ID, description="Who asks for downlinks that do not say it."),
        "downlinkAsKey": Member(
            kind=_KEY,
            description="What downlinks are signed with that bring no key.",
            secret=True,
        ),
        "downlinkPort": Member(kind=PORT, description="The FPort of downlinks that do not say it."),
        "lrcCompliance": Member(
            kind=Boolean(),
            description="True: messages are delivered as an LRC does, with its query parameters.",
            default=False,
        ),
        "tunnelInterfaceAuthenticationKey": Member(
            kind=_KEY,
            description="With lrcCompliance: the tunnel key that makes the Token; absent: there is none.",
            secret=True,
        ),
        "uplinkTimeValidity": Member(
            kind=VALIDITY,
            description="The age at which a message that could not be sent expires.",
        ),
        "reconnectStrategy": Member(
            kind=Choice(tuple(each.value for each in Strategy)),
            description="When a connection is tried again whose destination does not answer.",
            default="NORMAL",
        ),
        "blamePeriod": Member(
            kind=Integer(0, 86400),
            description="Seconds from the closing within which it is tried again fast; 0: not at all.",
            default=30,
        ),
        "maxInFlight": Member(
            kind=Integer(1, 256), description="Requests at once, of different devices.", default=16
        ),
        "maxRequestsPerSecond": Member(
            kind=Number(0.01, 10_000), description="The highest rate of requests; absent: no limit."
        ),
        "requestTimeout": Member(
            kind=Duration(_SECOND, 60 * _SECOND),
            description="How long a whole request may take until its answer's headers are complete.",
            default="10s",
        ),
        "signingSecret": Member(
            kind=Text(format="longwire-signing-secret"),
            description="Signs each request by Standard Webhooks: `whsec_...`, several separated by spaces.",
            secret=True,
        ),
        "proxy": Member(kind=PROXY, description="The proxy through which the destination is reached."),
        "tls": Member(kind=TLS, description="Certificates, and whether they are verified."),
    },
    elsewhere={name: name for name in ("name", "active", "debug", "brand", "alarms", "connectorId")},
)

CONNECTION = Object(
    name="Connection",
    members={
        "id": Member(kind=ID, description="The id.", read_only=True, required=True),
        "connectorId": Member(
            kind=Choice((CONNECTOR_ID,)), description="The kind of destination.", required=True
        ),
        "name": Member(kind=Text(shortest=1, longest=255), description="The name, for people."),
        "active": Member(
            kind=Boolean(), description="False stops the connection; its messages wait.", default=True
        ),
        "debug": Member(
            kind=Boolean(),
            description="True keeps whole requests and answers in the log; it turns itself off after 2 days.",
            default=False,
        ),
        "debugUntil": Member(
            kind=TIME, description="When debug turns itself off, where it is on.", read_only=True
        ),
        "brand": Member(kind=Text(), description="Kept without effect."),
        "alarms": Member(kind=EmptyList(), description="Not built yet: must be empty.", default=[]),
        "upOperations": Member(kind=EmptyList(), description="Not built yet: must be empty.", default=[]),
        "dlOperations": Member(kind=EmptyList(), description="Not built yet: must be empty.", default=[]),
        "configuration": Member(kind=CONFIGURATION, description="What the connector needs.", required=True),
        "state": Member(
            kind=Choice(tuple(each.value for each in Status)),
            description="The state; a command changes it when the worker has carried it out.",
            read_only=True,
            required=True,
        ),
        "stateReason": Member(kind=Text(), description="Why, in words.", read_only=True),
        "stateSince": Member(kind=TIME, description="Since when.", read_only=True, required=True),
        "downSince": Member(
            kind=TIME,
            description="Since when there was no complete response; absent: there is no outage.",
            read_only=True,
        ),
        "startupTime": Member(kind=TIME, description="When it was opened last.", read_only=True),
        "nextReconnectTime": Member(kind=TIME, description="When it is tried again.", read_only=True),
        "lag": Member(
            kind=Integer(0, 2**53), description="How many messages wait.", read_only=True, required=True
        ),
        "downlinkUrl": Member(
            kind=Text(), description="Where an application sends downlinks.", read_only=True, required=True
        ),
        "updatedAt": Member(
            kind=TIME, description="When it was changed last.", read_only=True, required=True
        ),
    },
    elsewhere={name: f"configuration.{name}" for name in (*CONFIGURATION.members, *CONFIGURATION.planned)},
)
