-- Orders may arrive before the location they name: such a location is inferred until then.
with locations as (
    select * from {{ ref('stg_locations') }}
),

referenced as (
    select distinct location_id from {{ ref('stg_orders') }}
    where location_id is not null
)

select
    coalesce(locations.location_id, referenced.location_id) as location_id,
    locations.location_name,
    locations.city,
    locations.country,
    locations.location_kind,
    locations.opened_date,
    locations.updated_at,
    locations.location_id is null as is_inferred
from locations
full outer join referenced on locations.location_id = referenced.location_id
