-- How the locations compare: revenue, size of an order, cancellations, and the rank by revenue.
with orders as (
    select
        location_id,
        count_if(is_revenue) as order_count,
        {{ share("count_if(order_status = 'cancelled')", 'count(*)') }} as cancelled_share,
        {{ share("count_if(order_status = 'returned')", 'count(*)') }} as returned_share,
        count(distinct customer_id) filter (where is_revenue) as customer_count,
        sum(revenue_cents) as revenue_cents
    from {{ ref('orders') }}
    group by location_id
)

select
    locations.location_id,
    locations.location_name,
    locations.country,
    locations.city,
    locations.location_kind,
    coalesce(orders.order_count, 0) as order_count,
    coalesce(orders.customer_count, 0) as customer_count,
    coalesce(orders.revenue_cents, 0) as revenue_cents,
    {{ amount('coalesce(orders.revenue_cents, 0)') }} as revenue_amount,
    orders.revenue_cents / nullif(orders.order_count, 0) as average_order_cents,
    orders.cancelled_share,
    orders.returned_share,
    rank() over (order by coalesce(orders.revenue_cents, 0) desc) as revenue_rank
from {{ ref('dim_location') }} as locations
left join orders on locations.location_id = orders.location_id
