with products as (
    select * from {{ ref('dim_product') }}
),

sales as (
    select
        product_id,
        min(order_date) as first_sold_date,
        max(order_date) as last_sold_date,
        count(distinct order_id) as order_count,
        count(distinct customer_id) as customer_count,
        sum(quantity) as unit_count,
        sum(discount_cents) as discount_cents,
        sum(revenue_cents) as revenue_cents,
        min(unit_price_cents) as lowest_price_cents,
        max(unit_price_cents) as highest_price_cents
    from {{ ref('fact_sales') }}
    where is_revenue
    group by product_id
),

final as (
    select
        products.product_id,
        products.product_name,
        products.category,
        products.is_active,
        products.price_cents,
        sales.lowest_price_cents,
        sales.highest_price_cents,
        sales.first_sold_date,
        sales.last_sold_date,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(sales.customer_count, 0) as customer_count,
        coalesce(sales.unit_count, 0) as unit_count,
        coalesce(sales.discount_cents, 0) as discount_cents,
        coalesce(sales.revenue_cents, 0) as revenue_cents
    from products
    left join sales on products.product_id = sales.product_id
)

select
    *,
    {{ amount('revenue_cents') }} as revenue_amount,
    rank() over (order by revenue_cents desc) as revenue_rank
from final
