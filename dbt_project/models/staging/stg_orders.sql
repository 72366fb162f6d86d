with source as (
    select * from {{ source('processed', 'orders') }}
),

renamed as (
    select
        order_id,
        customer_id,
        location_id,
        status as order_status,
        placed_at,
        {{ utc_date('placed_at') }} as order_date,
        updated_at,
        currency,
        total_cents
    from source
)

select * from renamed
