-- What a changed price did to demand: units a day while a price held, beside the price before.
with prices as (
    select
        product_id,
        unit_price_cents,
        min(order_date) as first_date,
        max(order_date) as last_date,
        sum(quantity) as unit_count
    from {{ ref('fact_sales') }}
    where is_revenue
    group by product_id, unit_price_cents
),

paced as (
    select
        *,
        {{ share('unit_count', "date_diff('day', first_date, last_date) + 1") }} as units_a_day
    from prices
),

changes as (
    select
        *,
        lag(unit_price_cents) over product_history as previous_price_cents,
        lag(units_a_day) over product_history as previous_units_a_day
    from paced
    window product_history as (partition by product_id order by first_date, unit_price_cents)
)

select
    product_id,
    first_date as changed_date,
    previous_price_cents,
    unit_price_cents,
    {{ share('unit_price_cents - previous_price_cents', 'previous_price_cents') }}
        as price_change_share,
    previous_units_a_day,
    units_a_day,
    {{ share('units_a_day - previous_units_a_day', 'previous_units_a_day') }}
        as demand_change_share
from changes
where previous_price_cents is not null
order by abs(unit_price_cents - previous_price_cents) desc, product_id asc, changed_date asc
limit 50
