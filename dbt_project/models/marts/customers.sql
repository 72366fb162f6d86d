with customers as (
    select * from {{ ref('dim_customer') }}
),

history as (
    select
        customer_id,
        min(order_date) filter (where is_revenue) as first_order_date,
        max(order_date) filter (where is_revenue) as last_order_date,
        count_if(is_revenue) as order_count,
        count_if(order_status = 'cancelled') as cancelled_order_count,
        count_if(order_status = 'returned') as returned_order_count,
        sum(if(is_revenue, unit_count, 0)) as unit_count,
        sum(revenue_cents) as revenue_cents
    from {{ ref('orders') }}
    group by customer_id
),

final as (
    select
        customers.customer_id,
        customers.customer_name,
        customers.segment,
        customers.country,
        customers.city,
        history.first_order_date,
        history.last_order_date,
        coalesce(history.order_count, 0) as order_count,
        coalesce(history.cancelled_order_count, 0) as cancelled_order_count,
        coalesce(history.returned_order_count, 0) as returned_order_count,
        coalesce(history.unit_count, 0) as unit_count,
        coalesce(history.revenue_cents, 0) as revenue_cents
    from customers
    left join history on customers.customer_id = history.customer_id
)

select
    *,
    order_count > 1 as is_repeat_customer,
    {{ amount('revenue_cents') }} as revenue_amount,
    revenue_cents / nullif(order_count, 0) as average_order_cents
from final
