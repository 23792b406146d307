SELECT timestamp, metric, value
FROM shop_metrics
{% if last_timestamp %}WHERE timestamp >= '{{ last_timestamp }}'{% endif %}
