with source as (
    select * from {{ source('processed', 'products') }}
),

renamed as (
    select
        product_id,
        name as product_name,
        category,
        price_cents,
        currency,
        is_active,
        updated_at
    from source
)

select * from renamed
