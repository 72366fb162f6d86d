with orders as (
    select * from {{ ref('int_orders__sequenced') }}
),

lines as (
    select
        order_id,
        count(*) as line_count,
        sum(quantity) as unit_count,
        sum(gross_cents) as gross_cents,
        sum(discount_cents) as discount_cents,
        sum(net_cents) as net_cents,
        sum(revenue_cents) as revenue_cents
    from {{ ref('fact_sales') }}
    group by order_id
),

final as (
    select
        orders.order_id,
        orders.customer_id,
        orders.location_id,
        orders.order_status,
        orders.is_revenue,
        orders.placed_at,
        orders.order_date,
        orders.updated_at,
        orders.customer_order_number,
        orders.customer_first_placed_at,
        orders.previous_placed_at,
        orders.currency,
        orders.total_cents,
        coalesce(lines.line_count, 0) as line_count,
        coalesce(lines.unit_count, 0) as unit_count,
        coalesce(lines.gross_cents, 0) as gross_cents,
        coalesce(lines.discount_cents, 0) as discount_cents,
        coalesce(lines.net_cents, 0) as net_cents,
        coalesce(lines.revenue_cents, 0) as revenue_cents
    from orders
    left join lines on orders.order_id = lines.order_id
)

select
    *,
    {{ amount('net_cents') }} as net_amount,
    {{ amount('revenue_cents') }} as revenue_amount
from final
