-- Days without orders are rows of zeros, so that averages over days need no calendar.
with orders as (
    select * from {{ ref('orders') }}
),

bounds as (
    select
        min(order_date) as first_date,
        max(order_date) as last_date
    from orders
),

days as (
    select calendar.calendar_date as order_date
    from {{ ref('dim_date') }} as calendar
    inner join bounds
        on calendar.calendar_date between bounds.first_date and bounds.last_date
),

daily as (
    select
        order_date,
        count_if(is_revenue) as order_count,
        count_if(order_status = 'cancelled') as cancelled_order_count,
        count_if(order_status = 'returned') as returned_order_count,
        count(distinct customer_id) filter (where is_revenue) as customer_count,
        sum(if(is_revenue, unit_count, 0)) as unit_count,
        sum(if(is_revenue, gross_cents, 0)) as gross_cents,
        sum(if(is_revenue, discount_cents, 0)) as discount_cents,
        sum(revenue_cents) as revenue_cents
    from orders
    group by order_date
),

final as (
    select
        days.order_date,
        coalesce(daily.order_count, 0) as order_count,
        coalesce(daily.cancelled_order_count, 0) as cancelled_order_count,
        coalesce(daily.returned_order_count, 0) as returned_order_count,
        coalesce(daily.customer_count, 0) as customer_count,
        coalesce(daily.unit_count, 0) as unit_count,
        coalesce(daily.gross_cents, 0) as gross_cents,
        coalesce(daily.discount_cents, 0) as discount_cents,
        coalesce(daily.revenue_cents, 0) as revenue_cents
    from days
    left join daily on days.order_date = daily.order_date
)

select
    *,
    {{ amount('revenue_cents') }} as revenue_amount,
    revenue_cents / nullif(order_count, 0) as average_order_cents,
    sum(revenue_cents) over (
        order by order_date
        rows between 6 preceding and current row
    ) as revenue_7_days_cents
from final
