-- What a customer segment is worth in each country: orders, revenue a customer, discount given.
select
    coalesce(customers.segment, 'unknown') as segment,
    coalesce(customers.country, 'unknown') as country,
    count(distinct sales.customer_id) as customer_count,
    count(distinct sales.order_id) as order_count,
    {{ amount('sum(sales.revenue_cents)') }} as revenue_amount,
    {{ amount('sum(sales.revenue_cents) / count(distinct sales.customer_id)') }}
        as revenue_a_customer,
    {{ share('sum(sales.discount_cents)', 'sum(sales.gross_cents)') }} as discount_share
from {{ ref('fact_sales') }} as sales
left join {{ ref('dim_customer') }} as customers on sales.customer_id = customers.customer_id
where sales.is_revenue
group by coalesce(customers.segment, 'unknown'), coalesce(customers.country, 'unknown')
order by revenue_amount desc
