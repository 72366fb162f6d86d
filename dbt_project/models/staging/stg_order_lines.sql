with source as (
    select * from {{ source('processed', 'order_lines') }}
),

renamed as (
    select
        order_id,
        line_number,
        product_id,
        quantity,
        unit_price_cents,
        coalesce(discount_cents, 0) as discount_cents
    from source
)

select * from renamed
