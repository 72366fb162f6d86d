with source as (
    select * from {{ source('processed', 'customers') }}
),

renamed as (
    select
        customer_id,
        name as customer_name,
        email,
        phone,
        country,
        city,
        segment,
        created_at,
        updated_at
    from source
)

select * from renamed
