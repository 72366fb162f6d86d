-- Orders may arrive before the product they name: such a product is inferred until then.
with products as (
    select * from {{ ref('stg_products') }}
),

referenced as (
    select distinct product_id from {{ ref('stg_order_lines') }}
    where product_id is not null
)

select
    coalesce(products.product_id, referenced.product_id) as product_id,
    products.product_name,
    products.category,
    products.price_cents,
    {{ amount('products.price_cents') }} as price_amount,
    products.currency,
    products.is_active,
    products.updated_at,
    products.product_id is null as is_inferred
from products
full outer join referenced on products.product_id = referenced.product_id
