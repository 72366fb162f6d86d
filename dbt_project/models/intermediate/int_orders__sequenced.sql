-- Orders that earn nothing have no place in a customer's sequence.
with orders as (
    select
        *,
        {{ earns_revenue('order_status') }} as is_revenue
    from {{ ref('stg_orders') }}
),

sequenced as (
    select
        *,
        if(is_revenue, row_number() over customer_history) as customer_order_number,
        if(is_revenue, min(placed_at) over customer_history) as customer_first_placed_at,
        if(is_revenue, lag(placed_at) over customer_history) as previous_placed_at
    from orders
    window customer_history as (
        partition by customer_id, is_revenue
        order by placed_at, order_id
    )
)

select * from sequenced
