-- Which categories grow: revenue of a month, its share in the month, and the month before.
with monthly as (
    select
        cast(date_trunc('month', sales.order_date) as date) as order_month,
        coalesce(products.category, 'unknown') as category,
        sum(sales.quantity) as unit_count,
        sum(sales.revenue_cents) as revenue_cents
    from {{ ref('fact_sales') }} as sales
    left join {{ ref('dim_product') }} as products on sales.product_id = products.product_id
    where sales.is_revenue
    group by date_trunc('month', sales.order_date), coalesce(products.category, 'unknown')
)

select
    order_month,
    category,
    unit_count,
    revenue_cents,
    {{ amount('revenue_cents') }} as revenue_amount,
    {{ share('revenue_cents', 'sum(revenue_cents) over (partition by order_month)') }}
        as month_share,
    lag(revenue_cents) over (partition by category order by order_month)
        as previous_revenue_cents
from monthly
