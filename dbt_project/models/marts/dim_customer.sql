-- Orders may arrive before the customer they name: such a customer is inferred until then.
with customers as (
    select * from {{ ref('stg_customers') }}
),

referenced as (
    select distinct customer_id from {{ ref('stg_orders') }}
    where customer_id is not null
)

select
    coalesce(customers.customer_id, referenced.customer_id) as customer_id,
    customers.customer_name,
    customers.email,
    customers.phone,
    customers.country,
    customers.city,
    customers.segment,
    customers.created_at,
    customers.updated_at,
    customers.customer_id is null as is_inferred
from customers
full outer join referenced on customers.customer_id = referenced.customer_id
