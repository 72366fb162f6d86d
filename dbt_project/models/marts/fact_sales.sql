with sales as (
    select * from {{ ref('int_sales__priced') }}
)

select
    {{ surrogate_key(['order_id', 'line_number']) }} as sale_key,
    order_id,
    line_number,
    order_date,
    placed_at,
    customer_id,
    product_id,
    location_id,
    order_status,
    is_revenue,
    currency,
    quantity,
    unit_price_cents,
    gross_cents,
    discount_cents,
    net_cents,
    revenue_cents,
    {{ amount('net_cents') }} as net_amount,
    {{ amount('revenue_cents') }} as revenue_amount
from sales
