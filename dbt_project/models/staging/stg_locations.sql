with source as (
    select * from {{ source('processed', 'locations') }}
),

renamed as (
    select
        location_id,
        name as location_name,
        city,
        country,
        kind as location_kind,
        opened_date,
        updated_at
    from source
)

select * from renamed
