"""A store whose log is full: deliveries of ten connections and 5,000 devices, made by the database itself."""

from sqlalchemy.engine import Connection as Sql

BEGIN = 1_700_000_000_000_000
EVERY = 1000
"""Microseconds between two messages."""
CONNECTIONS = 10

# Of a hundred: 90 delivered, 4 lost, 2 rejected, 1 expired, 3 waiting.
_OUTCOME = (
    "CASE WHEN n % 100 < 90 THEN 'DELIVERED' WHEN n % 100 < 94 THEN 'LOST' WHEN n % 100 < 96 THEN 'REJECTED'"
    " WHEN n % 100 < 97 THEN 'EXPIRED' ELSE 'QUEUED' END"
)
_STATUS = "CASE WHEN n % 100 < 90 THEN 200 WHEN n % 100 < 94 THEN 404 WHEN n % 100 < 96 THEN 503 END"
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
_DEVICE = "printf('0059AC%010X', n * 7919 % 5000)"
_BODY = (
    f'CAST(\'{{"DevEUI_uplink":{{"DevEUI":"\' || {_DEVICE} || \'","FCntUp":\' || n || \',"payload_hex":"\''
    " || printf('%032x', n) || '\",\"Lrrs\":\"' || :filling || '\"}}' AS BLOB)"
)
_MESSAGES = (
    f"{_NUMBERS} INSERT INTO message (id, network_server_id, root, dev_eui, f_cnt, received_at, body)"
    f" SELECT 2 * n, 'ns', 'DevEUI_uplink', {_DEVICE}, n, {BEGIN} + n * {EVERY}, {_BODY} FROM numbers"
)
_DELIVERIES = (
    f"{_NUMBERS} INSERT INTO delivery (id, message_id, connection_id, order_key, position, received_at, outcome,"
    " reason, settled_at, attempt_count, resends, last_status)"
    f" SELECT 2 * n + 1, 2 * n, 1 + n / 100 % {CONNECTIONS}, {_DEVICE}, 2 * n + 1, {BEGIN} + n * {EVERY}, {_OUTCOME},"
    f" '', iif(n % 100 < 97, {BEGIN} + n * {EVERY}, NULL), 1, 0, {_STATUS} FROM numbers"
)


def fill_log(sql: Sql, first: int, last: int) -> None:
    """Write the messages and deliveries numbered `first` to `last`, about 950 bytes each."""
    numbers = {"first": first, "last": last}
    sql.exec_driver_sql(_MESSAGES, numbers | {"filling": "x" * 850})
    sql.exec_driver_sql(_DELIVERIES, numbers)
