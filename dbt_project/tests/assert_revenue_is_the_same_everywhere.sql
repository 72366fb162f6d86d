-- Every mart that reports revenue reports the same sum, to the cent.
{%- set marts = [
    'orders', 'customers', 'products', 'daily_revenue', 'customer_cohorts',
    'revenue_by_category_month', 'location_ranking'
] %}

with sums as (
    {% for mart in marts %}
        select
            '{{ mart }}' as mart,
            sum(revenue_cents) as revenue_cents
        from {{ ref(mart) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

expected as (
    select sum(revenue_cents) as revenue_cents
    from {{ ref('fact_sales') }}
)

select
    sums.mart,
    sums.revenue_cents,
    expected.revenue_cents as expected_cents
from sums
cross join expected
where sums.revenue_cents is distinct from expected.revenue_cents
