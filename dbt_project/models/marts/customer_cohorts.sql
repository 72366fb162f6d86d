with orders as (
    select
        customer_id,
        revenue_cents,
        cast(date_trunc('month', {{ utc_date('customer_first_placed_at') }}) as date)
            as cohort_month,
        cast(date_trunc('month', order_date) as date) as order_month
    from {{ ref('orders') }}
    where is_revenue
),

monthly as (
    select
        cohort_month,
        date_diff('month', cohort_month, order_month) as months_since_first_order,
        count(distinct customer_id) as customer_count,
        count(*) as order_count,
        sum(revenue_cents) as revenue_cents
    from orders
    group by cohort_month, date_diff('month', cohort_month, order_month)
),

sized as (
    -- Month 0 always exists and holds every customer of the cohort.
    select
        *,
        max(if(months_since_first_order = 0, customer_count))
            over (partition by cohort_month) as cohort_size
    from monthly
)

select
    cohort_month,
    months_since_first_order,
    cohort_size,
    customer_count,
    {{ share('customer_count', 'cohort_size') }} as retention_share,
    order_count,
    revenue_cents,
    {{ amount('revenue_cents') }} as revenue_amount
from sized
