{% set metrics = ['orders', 'refunds'] %}
{% for metric in metrics %}
select at as metric_timestamp, '{{ metric }}' as metric_name, {{ metric }} as metric_value
from sales where currency = '{{ currency }}'
{% if not loop.last %}union all{% endif %}
{% endfor %};
