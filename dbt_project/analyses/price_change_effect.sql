-- What a changed price did to demand: units a day while a price held, beside the price before.
-- A price that comes back later is a period of its own.
with sales as (
    select
        *,
        unit_price_cents is distinct from lag(unit_price_cents) over product_history as is_changed
    from {{ ref('fact_sales') }}
    where is_revenue
    window product_history as (partition by product_id order by placed_at, sale_key)
),

numbered as (
    select
        *,
        count_if(is_changed) over product_history as period_number
    from sales
    window product_history as (partition by product_id order by placed_at, sale_key)
),

prices as (
    select
        product_id,
        period_number,
        min(unit_price_cents) as unit_price_cents,
        min(order_date) as first_date,
        max(order_date) as last_date,
        sum(quantity) as unit_count
    from numbered
    group by product_id, period_number
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
    window product_history as (partition by product_id order by period_number)
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
