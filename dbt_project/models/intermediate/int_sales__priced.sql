-- A line whose order has not been read yet stays out until it has: it can not be dated.
with lines as (
    select * from {{ ref('stg_order_lines') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

joined as (
    select
        lines.order_id,
        lines.line_number,
        lines.product_id,
        lines.quantity,
        lines.unit_price_cents,
        lines.discount_cents,
        orders.customer_id,
        orders.location_id,
        orders.order_status,
        orders.placed_at,
        orders.order_date,
        orders.currency,
        cast(lines.quantity as bigint) * lines.unit_price_cents as gross_cents,
        {{ earns_revenue('orders.order_status') }} as is_revenue
    from lines
    inner join orders on lines.order_id = orders.order_id
),

priced as (
    select
        *,
        gross_cents - discount_cents as net_cents,
        if(is_revenue, gross_cents - discount_cents, 0) as revenue_cents
    from joined
)

select * from priced
