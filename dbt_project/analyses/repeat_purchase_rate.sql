-- How many customers of a segment came back, and how soon after their first order.
with second_orders as (
    select
        customer_id,
        date_diff('day', previous_placed_at, placed_at) as days_to_second_order
    from {{ ref('orders') }}
    where customer_order_number = 2
)

select
    coalesce(customers.segment, 'unknown') as segment,
    count(*) as customer_count,
    count_if(customers.is_repeat_customer) as repeat_customer_count,
    {{ share('count_if(customers.is_repeat_customer)', 'count(*)') }} as repeat_share,
    round(avg(second_orders.days_to_second_order), 1) as average_days_to_second_order
from {{ ref('customers') }} as customers
left join second_orders on customers.customer_id = second_orders.customer_id
where customers.order_count > 0
group by coalesce(customers.segment, 'unknown')
order by repeat_share desc
