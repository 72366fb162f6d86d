-- The rhythm of the week: an average day of each weekday against the average of all days.
with weekdays as (
    select
        calendar.iso_day_of_week,
        calendar.day_name,
        count(*) as day_count,
        sum(daily.order_count) as order_count,
        sum(daily.revenue_cents) as revenue_cents
    from {{ ref('daily_revenue') }} as daily
    inner join {{ ref('dim_date') }} as calendar on daily.order_date = calendar.calendar_date
    group by calendar.iso_day_of_week, calendar.day_name
)

select
    iso_day_of_week,
    day_name,
    {{ share('order_count', 'day_count') }} as orders_a_day,
    {{ amount('revenue_cents / day_count') }} as revenue_a_day,
    {{ share('revenue_cents * sum(day_count) over ()', 'day_count * sum(revenue_cents) over ()') }}
        as index_to_average
from weekdays
order by iso_day_of_week
