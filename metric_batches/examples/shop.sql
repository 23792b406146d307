-- One row a metric and hour. SQLite compares times as texts, so both sides are written alike.
SELECT hour AS timestamp, 'orders' AS metric, n_orders AS value
FROM orders_per_hour
WHERE currency = {{ params.currency | sql }}
{% if last_timestamp %}AND datetime(hour) >= datetime({{ last_timestamp | sql }}){% endif %}
UNION ALL
SELECT hour, 'revenue', revenue
FROM orders_per_hour
WHERE currency = {{ params.currency | sql }}
{% if last_timestamp %}AND datetime(hour) >= datetime({{ last_timestamp | sql }}){% endif %}
