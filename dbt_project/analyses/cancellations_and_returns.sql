-- What cancellations and returns cost: their part of the orders, and the value lost, by month.
select
    cast(date_trunc('month', order_date) as date) as order_month,
    count(*) as order_count,
    {{ share("count_if(order_status = 'cancelled')", 'count(*)') }} as cancelled_share,
    {{ share("count_if(order_status = 'returned')", 'count(*)') }} as returned_share,
    {{ amount('sum(if(is_revenue, 0, net_cents))') }} as lost_value
from {{ ref('orders') }}
group by date_trunc('month', order_date)
order by order_month
