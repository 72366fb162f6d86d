-- Whole years around the orders, so that a report can show a month without sales. The bounds
-- come from the data and not from today, so that the same data gives the same table.
with bounds as (
    select
        date_trunc('year', min(order_date)) as first_date,
        date_trunc('year', max(order_date)) + interval '1' year - interval '1' day as last_date
    from {{ ref('stg_orders') }}
),

days as (
    select day.calendar_date
    from bounds
    cross join unnest(sequence(bounds.first_date, bounds.last_date)) as day (calendar_date)
)

select
    calendar_date,
    year(calendar_date) as year_number,
    quarter(calendar_date) as quarter_of_year,
    month(calendar_date) as month_of_year,
    day(calendar_date) as day_of_month,
    year_of_week(calendar_date) as iso_year,
    week(calendar_date) as iso_week,
    day_of_week(calendar_date) as iso_day_of_week,
    format_datetime(calendar_date, 'EEEE') as day_name,
    format_datetime(calendar_date, 'MMMM') as month_name,
    cast(date_trunc('week', calendar_date) as date) as week_start_date,
    cast(date_trunc('month', calendar_date) as date) as month_start_date,
    day_of_week(calendar_date) > 5 as is_weekend
from days
