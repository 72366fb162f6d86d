-- Members of a dimension that orders name and no entity describes: late, or in quarantine.
{{ config(severity='warn') }}

select customer_id as member from {{ ref('dim_customer') }}
where is_inferred
union all
select product_id as member from {{ ref('dim_product') }}
where is_inferred
union all
select location_id as member from {{ ref('dim_location') }}
where is_inferred
