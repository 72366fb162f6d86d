-- Who the shop lives from: the twenty best customers and their part of all revenue.
select
    customer_id,
    customer_name,
    segment,
    country,
    order_count,
    {{ amount('revenue_cents') }} as lifetime_value,
    {{ share('revenue_cents', 'sum(revenue_cents) over ()') }} as revenue_share,
    date_diff('day', first_order_date, last_order_date) as active_days
from {{ ref('customers') }}
order by revenue_cents desc, customer_id asc
limit 20
