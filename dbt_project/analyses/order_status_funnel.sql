-- Where orders stand: how many are in each state, their value, and how long they have not moved
-- when seen from the newest event of the shop.
with orders as (
    select
        order_status,
        net_cents,
        date_diff('hour', updated_at, max(updated_at) over ()) as idle_hours
    from {{ ref('orders') }}
)

select
    order_status,
    count(*) as order_count,
    {{ share('count(*)', 'sum(count(*)) over ()') }} as order_share,
    {{ amount('sum(net_cents)') }} as order_value,
    approx_percentile(idle_hours, 0.5) as median_idle_hours
from orders
group by order_status
order by order_count desc
