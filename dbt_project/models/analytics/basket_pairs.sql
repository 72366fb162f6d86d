-- Which products are bought together more often than chance would have it (lift above 1).
with baskets as (
    select distinct
        order_id,
        product_id
    from {{ ref('fact_sales') }}
    where is_revenue
),

orders as (
    select count(distinct order_id) as order_count from baskets
),

products as (
    select
        product_id,
        count(*) as order_count
    from baskets
    group by product_id
),

pairs as (
    select
        one.product_id,
        other.product_id as other_product_id,
        count(*) as pair_count
    from baskets as one
    inner join baskets as other
        on one.order_id = other.order_id and one.product_id < other.product_id
    group by one.product_id, other.product_id
)

select
    pairs.product_id,
    pairs.other_product_id,
    pairs.pair_count,
    {{ share('pairs.pair_count', 'orders.order_count') }} as support,
    {{ share('pairs.pair_count', 'one.order_count') }} as confidence,
    {{ share('pairs.pair_count * orders.order_count', 'one.order_count * other.order_count') }}
        as lift
from pairs
cross join orders
inner join products as one on pairs.product_id = one.product_id
inner join products as other on pairs.other_product_id = other.product_id
